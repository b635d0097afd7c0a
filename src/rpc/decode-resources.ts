import { type Int64, parseInt64 } from "../common/int64.ts";
import type { HugepageLimit__Output } from "../generated/runtime/v1/HugepageLimit.ts";
import type { LinuxContainerResources__Output } from "../generated/runtime/v1/LinuxContainerResources.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import { checkInteger, checkNoNul, decodeMap } from "./field-checks.ts";
import { invalid } from "./field-error.ts";

type Resources = ContainerSpec["settings"]["resources"];

/** No limits at all: what an absent message means. */
export const noResources: Resources = { oomScoreAdj: 0, hugepageLimits: [], unified: {} };

/**
 * Limits of a cgroup; what is 0 or empty on the wire was not given and stays absent.
 * @throws AgentError InvalidArgument
 */
export function decodeResources(field: string, resources: LinuxContainerResources__Output | null): Resources {
  if (resources === null) return noResources;
  const { cpuset_cpus, cpuset_mems } = resources;
  const amount = (name: AmountField, lowest: bigint) => decodeAmount(`${field}.${name}`, resources[name], lowest);
  return {
    ...given("cpuPeriodMicros", amount("cpu_period", 0n)),
    ...given("cpuQuotaMicros", amount("cpu_quota", -1n)),
    ...given("cpuShares", amount("cpu_shares", 0n)),
    ...given("memoryLimitBytes", amount("memory_limit_in_bytes", 0n)),
    ...given("memorySwapLimitBytes", amount("memory_swap_limit_in_bytes", -1n)),
    oomScoreAdj: checkInteger(`${field}.oom_score_adj`, resources.oom_score_adj, -1000, 1000),
    ...given("cpusetCpus", decodeCpuset(`${field}.cpuset_cpus`, cpuset_cpus)),
    ...given("cpusetMems", decodeCpuset(`${field}.cpuset_mems`, cpuset_mems)),
    hugepageLimits: resources.hugepage_limits.map((limit, index) =>
      decodeHugepageLimit(`${field}.hugepage_limits[${index}]`, limit),
    ),
    unified: decodeUnified(`${field}.unified`, resources.unified),
  };
}

type AmountField = "cpu_period" | "cpu_quota" | "cpu_shares" | "memory_limit_in_bytes" | "memory_swap_limit_in_bytes";

function given<Key extends string, Value>(key: Key, value: Value | undefined): { readonly [K in Key]?: Value } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [K in Key]: Value });
}

/** @param lowest the smallest amount allowed; -1 stands for "no limit" */
function decodeAmount(field: string, text: string, lowest: bigint): Int64 | undefined {
  const value = parseInt64(field, text);
  if (BigInt(value) < lowest) throw invalid(field, text, lowest === 0n ? "must be 0 or more" : "must be -1 or more");
  return value === "0" ? undefined : value;
}

function decodeCpuset(field: string, list: string): string | undefined {
  if (list === "") return undefined;
  if (!/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(list)) {
    throw invalid(field, list, 'must be a list such as "0-3,7"');
  }
  return list;
}

function decodeHugepageLimit(field: string, limit: HugepageLimit__Output): Resources["hugepageLimits"][number] {
  if (!/^[1-9]\d{0,6}(KB|MB|GB)$/.test(limit.page_size)) {
    throw invalid(`${field}.page_size`, limit.page_size, 'must be a size such as "2MB" or "1GB"');
  }
  return { pageSize: limit.page_size, limitBytes: parseInt64(`${field}.limit`, limit.limit) };
}

/** Names become files of the cgroup, so they must not lead anywhere else. */
function decodeUnified(field: string, unified: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(unified)) {
    if (!/^[a-z0-9_]+(\.[a-zA-Z0-9_]+)+$/.test(name)) {
      throw invalid(field, name, 'must have names of cgroup v2 files such as "memory.high"');
    }
    checkNoNul(`${field}[${name}]`, value);
  }
  return decodeMap(field, unified);
}

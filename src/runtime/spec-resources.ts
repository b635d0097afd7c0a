import { AgentError } from "../common/errors.ts";
import type { Int64 } from "../common/int64.ts";
import type { Resources } from "./container-settings.ts";
import type { HostFacts } from "./host-facts.ts";
import type { OciResources } from "./oci-spec.ts";

/**
 * The cgroup limits of a container; a zero, as proto3 sends for "not set", is no limit. The runtime itself turns CPU
 * shares into a weight on cgroup v2.
 * @throws AgentError InvalidArgument naming the field
 */
export function planLimits(resources: Resources, facts: HostFacts): Omit<OciResources, "devices"> {
  const cpu = planCpu(resources);
  const memory = planMemory(resources, facts);
  const hugepageLimits = planHugepages(resources, facts);
  const unified = checkedUnified(resources);
  return {
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(Object.keys(memory).length > 0 && { memory }),
    ...(hugepageLimits.length > 0 && { hugepageLimits }),
    // Names of cgroup v2 files mean nothing on v1, where runc refuses them.
    ...(facts.cgroupVersion === 2 && Object.keys(unified).length > 0 && { unified }),
  };
}

function planCpu(resources: Resources): NonNullable<OciResources["cpu"]> {
  const period = limit("cpu_period", resources.cpuPeriodMicros, 1000n);
  const quota = limit("cpu_quota", resources.cpuQuotaMicros, 1000n, { unlimited: -1n });
  const shares = limit("cpu_shares", resources.cpuShares, 0n);
  const cpus = cpuset("cpuset_cpus", resources.cpusetCpus);
  const mems = cpuset("cpuset_mems", resources.cpusetMems);
  return {
    ...(shares !== undefined && { shares }),
    ...(quota !== undefined && { quota }),
    ...(period !== undefined && { period }),
    ...(cpus !== undefined && { cpus }),
    ...(mems !== undefined && { mems }),
  };
}

/** A memory limit without a word on swap means no swap beyond it, where the kernel counts swap at all. */
function planMemory(resources: Resources, facts: HostFacts): NonNullable<OciResources["memory"]> {
  const bytes = limit("memory_limit_in_bytes", resources.memoryLimitBytes, 0n, { unlimited: -1n });
  const asked = limit("memory_swap_limit_in_bytes", resources.memorySwapLimitBytes, 0n, { unlimited: -1n });
  if (bytes !== undefined && asked !== undefined && asked !== -1n && (bytes === -1n || asked < bytes)) {
    throw new AgentError(
      "InvalidArgument",
      `Invalid memory_swap_limit_in_bytes ${asked}: it counts memory and swap together, so it must be at least memory_limit_in_bytes, ${bytes}`,
    );
  }
  const swap = facts.swapLimitSupported ? (asked ?? bytes) : undefined;
  return { ...(bytes !== undefined && { limit: bytes }), ...(swap !== undefined && { swap }) };
}

/** A kernel without the hugetlb controller can't hold the limit; containerd goes on without it, and so do we. */
function planHugepages(resources: Resources, facts: HostFacts): NonNullable<OciResources["hugepageLimits"]> {
  const planned = resources.hugepageLimits.map(({ pageSize, limitBytes }, index) => {
    if (!/^[1-9][0-9]{0,8}(KB|MB|GB)$/.test(pageSize)) {
      throw new AgentError(
        "InvalidArgument",
        `Invalid hugepage_limits[${index}].page_size ${JSON.stringify(pageSize.slice(0, 50))}: must be a size such as "2MB"`,
      );
    }
    return { pageSize, limit: BigInt.asUintN(64, BigInt(limitBytes)) };
  });
  return facts.cgroupControllers.has("hugetlb") ? planned : [];
}

function checkedUnified({ unified }: Resources): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(unified)) {
    // The runtime writes the value into a file of this name in the container's cgroup.
    if (!/^[a-z][a-z0-9_]*(\.[a-zA-Z0-9_-]+)+$/.test(name) || value.includes("\0")) {
      throw new AgentError(
        "InvalidArgument",
        `Invalid unified key ${JSON.stringify(name.slice(0, 100))}: must name a cgroup v2 file such as "memory.high"`,
      );
    }
  }
  return unified;
}

/** @returns undefined for absent and zero */
function limit(
  field: string,
  value: Int64 | undefined,
  least: bigint,
  options: { readonly unlimited?: bigint } = {},
): bigint | undefined {
  if (value === undefined) return undefined;
  const number = BigInt(value);
  if (number === 0n) return undefined;
  if (number < least && number !== options.unlimited) {
    const orUnlimited = options.unlimited === undefined ? "" : `, or ${options.unlimited} for no limit`;
    throw new AgentError("InvalidArgument", `Invalid ${field} ${number}: must be at least ${least}${orUnlimited}`);
  }
  return number;
}

function cpuset(field: string, list: string | undefined): string | undefined {
  if (list === undefined || list === "") return undefined;
  if (/^[0-9]{1,6}(-[0-9]{1,6})?(,[0-9]{1,6}(-[0-9]{1,6})?)*$/.test(list)) return list;
  throw new AgentError(
    "InvalidArgument",
    `Invalid ${field} ${JSON.stringify(list.slice(0, 100))}: must be a list such as "0-1,3"`,
  );
}

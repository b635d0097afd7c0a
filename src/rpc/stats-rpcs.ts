import type { ContainerStatsFilter__Output } from "../generated/runtime/v1/ContainerStatsFilter.ts";
import type { PodSandboxStatsFilter__Output } from "../generated/runtime/v1/PodSandboxStatsFilter.ts";
import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import type { ContainerUsage, SandboxUsage, UsageService } from "../sandbox/usage-service.ts";
import { batches } from "./batches.ts";
import { encodeContainerStats, encodeSandboxStats } from "./encode-stats.ts";
import { missing } from "./field-error.ts";
import type { Rpcs } from "./serve.ts";

export interface StatsRpcDeps {
  readonly sandboxes: Pick<SandboxService, "getSandbox" | "getContainer" | "listSandboxes" | "listContainers">;
  readonly usage: Pick<UsageService, "containers" | "sandboxes">;
}

/** The statistics RPCs of RuntimeService. */
export function statsRpcs({ sandboxes, usage }: StatsRpcDeps) {
  const listContainers = (filter: ContainerStatsFilter__Output | null): Promise<readonly ContainerUsage[]> => {
    const { id = "", pod_sandbox_id: sandboxId = "", label_selector: labels = {} } = filter ?? {};
    return usage.containers(sandboxes.listContainers({ id, sandboxId, labels }));
  };
  // Of a pod that isn't ready nothing is counted any more.
  const listSandboxes = (filter: PodSandboxStatsFilter__Output | null): Promise<readonly SandboxUsage[]> => {
    const { id = "", label_selector: labels = {} } = filter ?? {};
    return usage.sandboxes(sandboxes.listSandboxes({ id, labels, state: "ready" }));
  };
  return {
    ContainerStats: async ({ container_id }) => {
      if (container_id === "") throw missing("container_id");
      const [stats] = await usage.containers([sandboxes.getContainer(container_id)]);
      return { stats: stats === undefined ? null : encodeContainerStats(stats) };
    },
    ListContainerStats: async ({ filter }) => ({ stats: (await listContainers(filter)).map(encodeContainerStats) }),
    async *StreamContainerStats({ filter }) {
      for (const batch of batches(await listContainers(filter))) {
        yield { container_stats: batch.map(encodeContainerStats) };
      }
    },
    PodSandboxStats: async ({ pod_sandbox_id }) => {
      if (pod_sandbox_id === "") throw missing("pod_sandbox_id");
      const [stats] = await usage.sandboxes([sandboxes.getSandbox(pod_sandbox_id)]);
      return { stats: stats === undefined ? null : encodeSandboxStats(stats) };
    },
    ListPodSandboxStats: async ({ filter }) => ({ stats: (await listSandboxes(filter)).map(encodeSandboxStats) }),
    async *StreamPodSandboxStats({ filter }) {
      for (const batch of batches(await listSandboxes(filter))) {
        yield { pod_sandbox_stats: batch.map(encodeSandboxStats) };
      }
    },
  } satisfies Rpcs<
    RuntimeServiceHandlers,
    | "ContainerStats"
    | "ListContainerStats"
    | "StreamContainerStats"
    | "PodSandboxStats"
    | "ListPodSandboxStats"
    | "StreamPodSandboxStats"
  >;
}

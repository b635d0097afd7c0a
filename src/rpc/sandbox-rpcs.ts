import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import { batches } from "./batches.ts";
import { decodeSandboxFilter } from "./decode-filters.ts";
import { decodeResources } from "./decode-resources.ts";
import { decodeSandbox } from "./decode-sandbox.ts";
import { encodeContainerStatus } from "./encode-container.ts";
import { encodeSandbox, encodeSandboxStatus } from "./encode-sandbox.ts";
import { missing } from "./field-error.ts";
import type { Profile } from "./profile-policy.ts";
import type { Rpcs } from "./serve.ts";
import { encodeTimestamp } from "./timestamps.ts";
import { verboseInfo } from "./verbose-info.ts";

export interface SandboxRpcDeps {
  readonly profile: Profile;
  readonly sandboxes: Pick<
    SandboxService,
    | "runSandbox"
    | "stopSandbox"
    | "removeSandbox"
    | "getSandbox"
    | "listSandboxes"
    | "describeSandbox"
    | "containersOf"
    | "updateSandboxResources"
  >;
}

/** The pod sandbox RPCs of RuntimeService. */
export function sandboxRpcs({ profile, sandboxes }: SandboxRpcDeps) {
  return {
    RunPodSandbox: async (request, { signal }) => ({
      pod_sandbox_id: await sandboxes.runSandbox(decodeSandbox(profile, request), signal),
    }),
    StopPodSandbox: async ({ pod_sandbox_id }, { signal }) => {
      if (pod_sandbox_id === "") throw missing("pod_sandbox_id");
      await sandboxes.stopSandbox(pod_sandbox_id, signal);
      return {};
    },
    RemovePodSandbox: async ({ pod_sandbox_id }, { signal }) => {
      if (pod_sandbox_id === "") throw missing("pod_sandbox_id");
      await sandboxes.removeSandbox(pod_sandbox_id, signal);
      return {};
    },
    PodSandboxStatus: async ({ pod_sandbox_id, verbose }) => {
      if (pod_sandbox_id === "") throw missing("pod_sandbox_id");
      const record = sandboxes.getSandbox(pod_sandbox_id);
      return {
        status: encodeSandboxStatus(record),
        // Kubelet takes whichever is newer, this or the last event of the pod: with a time it needs all containers too.
        containers_statuses: sandboxes.containersOf(record).map(encodeContainerStatus),
        timestamp: encodeTimestamp(Date.now()),
        ...(verbose ? verboseInfo(await sandboxes.describeSandbox(record)) : {}),
      };
    },
    UpdatePodSandboxResources: async ({ pod_sandbox_id, overhead, resources }) => {
      if (pod_sandbox_id === "") throw missing("pod_sandbox_id");
      await sandboxes.updateSandboxResources(pod_sandbox_id, {
        overhead: overhead === null ? undefined : decodeResources("overhead", overhead),
        resources: resources === null ? undefined : decodeResources("resources", resources),
      });
      return {};
    },
    ListPodSandbox: ({ filter }) => ({
      items: sandboxes.listSandboxes(decodeSandboxFilter(filter)).map(encodeSandbox),
    }),
    *StreamPodSandboxes({ filter }) {
      const records = sandboxes.listSandboxes(decodeSandboxFilter(filter));
      for (const batch of batches(records)) yield { pod_sandboxes: batch.map(encodeSandbox) };
    },
  } satisfies Rpcs<
    RuntimeServiceHandlers,
    | "RunPodSandbox"
    | "StopPodSandbox"
    | "RemovePodSandbox"
    | "PodSandboxStatus"
    | "ListPodSandbox"
    | "StreamPodSandboxes"
    | "UpdatePodSandboxResources"
  >;
}

import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import type { ContainerRecord } from "../sandbox/container-record.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import { batches } from "./batches.ts";
import { decodeContainer } from "./decode-container.ts";
import { decodeContainerFilter } from "./decode-filters.ts";
import { decodeResources } from "./decode-resources.ts";
import { encodeContainer, encodeContainerStatus } from "./encode-container.ts";
import { decodeTimeout } from "./field-checks.ts";
import { invalid, missing } from "./field-error.ts";
import type { Profile } from "./profile-policy.ts";
import type { Rpcs } from "./serve.ts";
import { verboseInfo } from "./verbose-info.ts";

export interface ContainerRpcDeps {
  readonly profile: Profile;
  readonly sandboxes: Pick<
    SandboxService,
    | "getSandbox"
    | "createContainer"
    | "startContainer"
    | "stopContainer"
    | "removeContainer"
    | "getContainer"
    | "listContainers"
    | "describeContainer"
    | "reopenLog"
    | "checkpointContainer"
    | "updateContainer"
  >;
}

/** The container RPCs of RuntimeService. */
export function containerRpcs({ profile, sandboxes }: ContainerRpcDeps) {
  const list = (filter: Parameters<typeof decodeContainerFilter>[0]): readonly ContainerRecord[] =>
    sandboxes.listContainers(decodeContainerFilter(filter));
  return {
    CreateContainer: async (request, { signal }) => {
      if (request.pod_sandbox_id === "") throw missing("pod_sandbox_id");
      const sandbox = sandboxes.getSandbox(request.pod_sandbox_id);
      const spec = decodeContainer(profile, request, sandbox.spec);
      return { container_id: await sandboxes.createContainer(sandbox.id, spec, signal) };
    },
    StartContainer: async ({ container_id }, { signal }) => {
      if (container_id === "") throw missing("container_id");
      await sandboxes.startContainer(container_id, signal);
      return {};
    },
    StopContainer: async ({ container_id, timeout }, { signal }) => {
      if (container_id === "") throw missing("container_id");
      await sandboxes.stopContainer(container_id, decodeTimeout("timeout", timeout), signal);
      return {};
    },
    RemoveContainer: async ({ container_id }, { signal }) => {
      if (container_id === "") throw missing("container_id");
      await sandboxes.removeContainer(container_id, signal);
      return {};
    },
    ContainerStatus: async ({ container_id, verbose }) => {
      if (container_id === "") throw missing("container_id");
      const record = sandboxes.getContainer(container_id);
      return {
        status: encodeContainerStatus(record),
        ...(verbose ? verboseInfo(await sandboxes.describeContainer(record)) : {}),
      };
    },
    ListContainers: ({ filter }) => ({ containers: list(filter).map(encodeContainer) }),
    *StreamContainers({ filter }) {
      for (const batch of batches(list(filter))) yield { containers: batch.map(encodeContainer) };
    },
    UpdateContainerResources: async ({ container_id, linux, windows }, { signal }) => {
      if (container_id === "") throw missing("container_id");
      if (windows !== null) throw invalid("windows", "{…}", "must be absent: this node runs Linux");
      await sandboxes.updateContainer(container_id, decodeResources("linux", linux), signal);
      return {};
    },
    CheckpointContainer: async ({ container_id, location, timeout }, { signal }) => {
      if (container_id === "") throw missing("container_id");
      if (!location.startsWith("/") || location.split("/").includes("..")) {
        throw invalid("location", location, "must be the absolute path of the archive to write");
      }
      await sandboxes.checkpointContainer(container_id, location, decodeTimeout("timeout", timeout), signal);
      return {};
    },
    ReopenContainerLog: async ({ container_id }) => {
      if (container_id === "") throw missing("container_id");
      await sandboxes.reopenLog(container_id);
      return {};
    },
  } satisfies Rpcs<
    RuntimeServiceHandlers,
    | "CreateContainer"
    | "StartContainer"
    | "StopContainer"
    | "RemoveContainer"
    | "ContainerStatus"
    | "ListContainers"
    | "StreamContainers"
    | "ReopenContainerLog"
    | "UpdateContainerResources"
    | "CheckpointContainer"
  >;
}

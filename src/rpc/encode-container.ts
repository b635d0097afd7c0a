import type { Container } from "../generated/runtime/v1/Container.ts";
import type { ContainerState } from "../generated/runtime/v1/ContainerState.ts";
import type { ContainerStatus } from "../generated/runtime/v1/ContainerStatus.ts";
import type { ImageSpec } from "../generated/runtime/v1/ImageSpec.ts";
import type { LinuxContainerResources } from "../generated/runtime/v1/LinuxContainerResources.ts";
import type { Mount } from "../generated/runtime/v1/Mount.ts";
import { type ContainerRecord, resourcesInForce } from "../sandbox/container-record.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import { shownContainerState } from "../sandbox/record-filter.ts";
import { encodeSignal } from "./signals.ts";
import { encodeTimestamp } from "./timestamps.ts";

const states = {
  created: "CONTAINER_CREATED",
  running: "CONTAINER_RUNNING",
  exited: "CONTAINER_EXITED",
  unknown: "CONTAINER_UNKNOWN",
} as const satisfies Record<string, ContainerState>;
const propagations = {
  private: "PROPAGATION_PRIVATE",
  "host-to-container": "PROPAGATION_HOST_TO_CONTAINER",
  bidirectional: "PROPAGATION_BIDIRECTIONAL",
} as const satisfies Record<string, Mount["propagation"]>;

/** A container in a list. */
export function encodeContainer(record: ContainerRecord): Container {
  return { ...encodeShared(record), pod_sandbox_id: record.sandboxId };
}

/** A container's status. */
export function encodeContainerStatus(record: ContainerRecord): ContainerStatus {
  const { settings } = record.spec;
  const { uid, gid, supplementalGroups } = record.user;
  return {
    ...encodeShared(record),
    ...encodeLife(record),
    mounts: settings.mounts.map((mount) => encodeMount(mount, record)),
    log_path: record.logPath,
    resources: { linux: encodeResources(resourcesInForce(record)) },
    user: { linux: { uid, gid, supplemental_groups: [...supplementalGroups] } },
    stop_signal: encodeSignal(record.stopSignal),
  };
}

/** What lists and statuses have in common. */
function encodeShared(record: ContainerRecord) {
  const { spec } = record;
  const image: ImageSpec = { image: spec.image, user_specified_image: spec.userSpecifiedImage };
  return {
    id: record.id,
    metadata: spec.metadata,
    image,
    image_ref: record.imageRef,
    image_id: record.imageId,
    state: states[shownContainerState(record)],
    created_at: encodeTimestamp(record.createdAtMs),
    labels: spec.labels,
    annotations: spec.annotations,
  } satisfies Container & ContainerStatus;
}

function encodeLife({ state }: ContainerRecord): ContainerStatus {
  switch (state.kind) {
    case "creating":
    case "created":
    case "starting":
      return {};
    case "running":
      return { started_at: encodeTimestamp(state.startedAtMs) };
    case "exited":
      return encodeExit(state);
    case "removing":
      return encodeExit(state.last);
    default:
      return state satisfies never;
  }
}

function encodeExit(exit: Extract<ContainerRecord["state"], { kind: "exited" }>): ContainerStatus {
  return {
    started_at: encodeTimestamp(exit.startedAtMs),
    finished_at: encodeTimestamp(exit.finishedAtMs),
    exit_code: exit.exitCode,
    reason: exit.reason,
    message: exit.message,
  };
}

/** As asked for; of an image also the digest it had. */
function encodeMount(mount: ContainerSpec["settings"]["mounts"][number], { imageMounts = [] }: ContainerRecord): Mount {
  const shared: Mount = {
    container_path: mount.containerPath,
    ...(mount.recursiveReadOnly && { recursive_read_only: true }),
    ...(mount.options && { mount_options: [...mount.options] }),
  };
  if (!("image" in mount)) {
    return {
      ...shared,
      host_path: mount.hostPath,
      readonly: mount.readonly,
      propagation: propagations[mount.propagation],
      ...(mount.selinuxRelabel && { selinux_relabel: true }),
    };
  }
  const image_ref = imageMounts.find(({ containerPath }) => containerPath === mount.containerPath)?.imageRef ?? "";
  return { ...shared, readonly: true, image: { image: mount.image, image_ref }, image_sub_path: mount.imageSubPath };
}

/** Exactly what decode-resources read, so that a caller finds its limits again. */
export function encodeResources(resources: ContainerSpec["settings"]["resources"]): LinuxContainerResources {
  return {
    cpu_period: resources.cpuPeriodMicros ?? "0",
    cpu_quota: resources.cpuQuotaMicros ?? "0",
    cpu_shares: resources.cpuShares ?? "0",
    memory_limit_in_bytes: resources.memoryLimitBytes ?? "0",
    memory_swap_limit_in_bytes: resources.memorySwapLimitBytes ?? "0",
    oom_score_adj: resources.oomScoreAdj,
    cpuset_cpus: resources.cpusetCpus ?? "",
    cpuset_mems: resources.cpusetMems ?? "",
    hugepage_limits: resources.hugepageLimits.map(({ pageSize, limitBytes }) => ({
      page_size: pageSize,
      limit: limitBytes,
    })),
    unified: resources.unified,
  };
}

import type { ContainerId, SandboxId } from "../common/ids.ts";
import type { Resources } from "../runtime/container-settings.ts";
import type { ContainerSpec } from "./container-spec.ts";

/**
 * ```
 *   creating ──► created ──► starting ──► running ──► exited
 *      │            │           │                       │
 *   undone       removing ◄─────┴── failed: exited ─────┘ ──► removing ──► record gone
 * ```
 * `creating` is hidden from callers; `starting` shows as CREATED and `removing` as EXITED.
 */
export type ContainerState =
  | { readonly kind: "creating" }
  | { readonly kind: "created" }
  | { readonly kind: "starting" }
  | { readonly kind: "running"; readonly startedAtMs: number; readonly pid: number }
  | ExitedState
  | { readonly kind: "removing"; readonly last: ExitedState };

export interface ExitedState {
  readonly kind: "exited";
  /** 0 when it never ran. */
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  /** "Completed", "Error", "OOMKilled", "StartError" or "Unknown". */
  readonly reason: string;
  readonly message: string;
}

/** An image that a container sees the files of, as it was when the container was created. */
export interface MountedImage {
  readonly containerPath: string;
  /** A repository digest of the image, or its id when it has none. */
  readonly imageRef: string;
  readonly topChainId: string;
}

/** The durable truth about one container. */
export interface ContainerRecord {
  readonly id: ContainerId;
  readonly sandboxId: SandboxId;
  readonly state: ContainerState;
  readonly spec: ContainerSpec;
  /** Node image id, the config digest; equals PullImageResponse.image_ref. */
  readonly imageId: string;
  /** A repository digest of the image, or its id when it has none. */
  readonly imageRef: string;
  /** Chain id of the image's top snapshot: what keeps its layers on disk while this record lives. */
  readonly topChainId: string;
  /** Images mounted into it. */
  readonly imageMounts?: readonly MountedImage[];
  /** Milliseconds since the epoch, with a fraction; strictly increasing. */
  readonly createdAtMs: number;
  /** Absolute path of the log file; empty: none. */
  readonly logPath: string;
  /** Signal that stops it, such as "SIGTERM". */
  readonly stopSignal: string;
  /** The limits in force, once they differ from those of the spec, which stays what was asked for at first. */
  readonly resources?: Resources;
  /** An update under way: the limits it shall end with. */
  readonly pendingResources?: Resources;
  /** PID 1's user as resolved in the image. */
  readonly user: { readonly uid: number; readonly gid: number; readonly supplementalGroups: readonly number[] };
  /** Only on copies for callers: its process has gone, and the shim that knows how it ended does not answer. Never stored. */
  readonly unheard?: boolean;
}

/** Chain ids of the snapshots a container needs. */
export function heldChainIds({ topChainId, imageMounts = [] }: ContainerRecord): readonly string[] {
  return [topChainId, ...imageMounts.map((mounted) => mounted.topChainId)];
}

/** The limits a container has. */
export function resourcesInForce(record: ContainerRecord): Resources {
  return record.resources ?? record.spec.settings.resources;
}

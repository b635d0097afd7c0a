import type { ContainerRecord } from "./container-record.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** What the host shows of a pod when the agent starts. */
export interface ObservedPod {
  /** "none": nothing was ever launched or recorded; "dead": launched, but nobody answers. */
  readonly shim: "alive" | "dead" | "none";
  /** Whether the pod's network namespace pin is still there. */
  readonly netnsPinned: boolean;
}

/** A container's task as its live shim tells it. */
export type ObservedTask = "created" | "running" | "stopped" | "absent";

/** What recovery does with one sandbox. */
export type SandboxRepair =
  /** Nothing to do but to serve it. */
  | { readonly kind: "adopt" }
  /** It never became ready, or its removal had begun: take everything away and forget it. */
  | { readonly kind: "remove" }
  /** What made it ready is gone: show it as not ready and free its network; the caller removes it. */
  | { readonly kind: "stop"; readonly message: string };

/** What recovery does with one container. */
export type ContainerRepair =
  | { readonly kind: "keep" }
  | { readonly kind: "remove" }
  /** Its task runs or has ended: take up its output and its exit. */
  | { readonly kind: "adopt" }
  /** The start never got as far as a process: delete what there is of the task, and it can be started again. */
  | { readonly kind: "revert" }
  /** Its end was seen by nobody. */
  | { readonly kind: "lost"; readonly message: string }
  /** Its exit is recorded, its task not yet deleted. */
  | { readonly kind: "delete-task" };

/**
 * Record against observation, for one sandbox.
 * @param bootId the boot that runs now; kernel objects of another boot are gone
 */
export function planSandboxRepair(record: SandboxRecord, observed: ObservedPod, bootId: string): SandboxRepair {
  switch (record.state) {
    case "creating":
    case "removing":
      return { kind: "remove" };
    case "notReady":
      // Stopping again is cheap and finishes a stop that was cut short.
      return { kind: "stop", message: record.message };
    case "ready":
      if (record.bootId !== bootId) return { kind: "stop", message: "The node was restarted" };
      if (!observed.netnsPinned) return { kind: "stop", message: "The pod's network namespace is gone" };
      if (observed.shim === "dead") return { kind: "stop", message: "The pod's shim is gone" };
      return { kind: "adopt" };
    default:
      return record.state satisfies never;
  }
}

/** Record against observation, for one container of a sandbox that is not being removed. */
export function planContainerRepair(
  record: ContainerRecord,
  task: ObservedTask,
  sandbox: SandboxRepair["kind"],
): ContainerRepair {
  const { state } = record;
  switch (state.kind) {
    case "creating":
    case "removing":
      return { kind: "remove" };
    case "created":
      return sandbox === "adopt"
        ? { kind: "keep" }
        : { kind: "lost", message: "The pod ended before the container was started" };
    case "starting":
      if (task === "running" || task === "stopped") return { kind: "adopt" };
      return sandbox === "adopt"
        ? { kind: "revert" }
        : { kind: "lost", message: "The pod ended while the container was starting" };
    case "running":
      if (task === "running" || task === "stopped") return { kind: "adopt" };
      return { kind: "lost", message: "The container ended while nobody watched" };
    case "exited":
      return task === "absent" ? { kind: "keep" } : { kind: "delete-task" };
    default:
      return state satisfies never;
  }
}

import type { ContainerRecord } from "./container-record.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** What the host shows of a pod when the agent starts. */
export interface ObservedPod {
  /** Whether the record is of the boot that runs now: kernel objects of another boot are gone, and its numbers mean others. */
  readonly boot: "same" | "other";
  /**
   * "answers"; "silent": its process is there and says nothing, for it is stopped or stuck; "dead": launched once, and
   * certainly gone; "none": no launch is recorded.
   */
  readonly shim: "answers" | "silent" | "dead" | "none";
  /** The pin of the pod's network namespace; "there" also for a pod that has none of its own. */
  readonly netns: "there" | "gone";
}

/** A container's task: as its shim tells it, "absent" without a shim, "unknown" while the shim is silent. */
export type ObservedTask = "created" | "running" | "stopped" | "absent" | "unknown";

/** What recovery does with one sandbox. */
export type SandboxRepair =
  /** Nothing to do but to serve it. */
  | { readonly kind: "adopt" }
  /** Its shim is silent: it is served as it was recorded, and looked at again until the shim answers or the pod is stopped. */
  | { readonly kind: "wait" }
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
  | { readonly kind: "delete-task" }
  /** Only the silent shim knows: left as it is, for the pod's next look or its stop. */
  | { readonly kind: "wait" };

/** Record against observation, for one sandbox. docs/recovery.md has the table, and its test all of its rows. */
export function planSandboxRepair(
  record: Pick<SandboxRecord, "state" | "message">,
  { boot, shim, netns }: ObservedPod,
): SandboxRepair {
  switch (record.state) {
    case "creating":
    case "removing":
      return { kind: "remove" };
    case "notReady":
      // Stopping again is cheap and finishes a stop that was cut short.
      return { kind: "stop", message: record.message };
    case "ready":
      if (boot === "other") return { kind: "stop", message: "The node was restarted" };
      if (netns === "gone") return { kind: "stop", message: "The pod's network namespace is gone" };
      if (shim === "dead") return { kind: "stop", message: "The pod's shim is gone" };
      return { kind: shim === "silent" ? "wait" : "adopt" };
    default:
      return record.state satisfies never;
  }
}

/** Record against observation, for one container. @param sandbox what is done with its pod */
export function planContainerRepair(
  { state }: Pick<ContainerRecord, "state">,
  task: ObservedTask,
  sandbox: SandboxRepair["kind"],
): ContainerRepair {
  const goesOn = sandbox === "adopt" || sandbox === "wait";
  switch (state.kind) {
    case "creating":
    case "removing":
      return { kind: "remove" };
    case "created":
      return goesOn ? { kind: "keep" } : { kind: "lost", message: "The pod ended before the container was started" };
    case "starting":
      if (task === "unknown") return { kind: "wait" };
      if (task === "running" || task === "stopped") return { kind: "adopt" };
      return goesOn ? { kind: "revert" } : { kind: "lost", message: "The pod ended while the container was starting" };
    case "running":
      if (task === "unknown") return { kind: "wait" };
      if (task === "running" || task === "stopped") return { kind: "adopt" };
      return { kind: "lost", message: "The container ended while nobody watched" };
    case "exited":
      if (task === "unknown") return { kind: "wait" };
      return task === "absent" ? { kind: "keep" } : { kind: "delete-task" };
    default:
      return state satisfies never;
  }
}

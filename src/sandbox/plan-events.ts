import type { ContainerRecord } from "./container-record.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** What subscribers are told of one pod sandbox or container, in the contract's words. */
export type EventKind = "created" | "started" | "stopped" | "deleted";

/** The three things about an object that callers can tell apart. */
interface Shown {
  readonly there: boolean;
  readonly running: boolean;
  readonly ended: boolean;
}

/** What a change of a sandbox's record means to subscribers; undefined: no record. */
export function planSandboxEvents(
  before: SandboxRecord | undefined,
  after: SandboxRecord | undefined,
): readonly EventKind[] {
  return planEvents(showSandbox(before), showSandbox(after));
}

/** What a change of a container's record means to subscribers; undefined: no record. */
export function planContainerEvents(
  before: ContainerRecord | undefined,
  after: ContainerRecord | undefined,
): readonly EventKind[] {
  return planEvents(showContainer(before), showContainer(after));
}

function planEvents(before: Shown, after: Shown): readonly EventKind[] {
  const kinds: EventKind[] = [];
  if (!before.there && after.there) kinds.push("created");
  if (!before.running && after.running) kinds.push("started");
  // A start that failed ends what never ran; kubelet has to hear of it all the same.
  if (!before.ended && after.ended && before.there) kinds.push("stopped");
  if (before.there && !after.there) kinds.push("deleted");
  return kinds;
}

function showSandbox(record: SandboxRecord | undefined): Shown {
  const there = record !== undefined && record.state !== "creating";
  const running = record?.state === "ready";
  return { there, running, ended: there && !running };
}

function showContainer(record: ContainerRecord | undefined): Shown {
  const kind = record?.state.kind ?? "creating";
  // What is removed without having been started has not stopped.
  return { there: kind !== "creating", running: kind === "running", ended: kind === "exited" };
}

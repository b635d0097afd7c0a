import type { ContainerRecord } from "./container-record.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** Filters of the list calls; all given parts must hold, an absent part holds for everything. */
export interface SandboxFilter {
  /** Full id or unique prefix. */
  readonly id?: string;
  readonly state?: "ready" | "notReady";
  readonly labels?: Readonly<Record<string, string>>;
}

export interface ContainerFilter {
  readonly id?: string;
  readonly sandboxId?: string;
  readonly state?: ShownContainerState;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Whether callers see the sandbox, and the filter (ids aside) holds. */
export function matchesSandbox(record: SandboxRecord, filter: SandboxFilter): boolean {
  if (record.state === "creating") return false;
  if (filter.state !== undefined && filter.state !== shownSandboxState(record)) return false;
  return matchesLabels(record.spec.labels, filter.labels);
}

/** Whether callers see the container, and the filter (ids aside) holds. */
export function matchesContainer(record: ContainerRecord, filter: ContainerFilter): boolean {
  if (record.state.kind === "creating") return false;
  if (filter.state !== undefined && filter.state !== shownContainerState(record)) return false;
  return matchesLabels(record.spec.labels, filter.labels);
}

/** The two states CRI knows of a sandbox. */
export function shownSandboxState(record: SandboxRecord): "ready" | "notReady" {
  return record.state === "ready" ? "ready" : "notReady";
}

/** The states CRI knows of a container. */
export type ShownContainerState = "created" | "running" | "exited" | "unknown";

/** The state callers see. */
export function shownContainerState(record: ContainerRecord): ShownContainerState {
  if (record.unheard === true) return "unknown";
  switch (record.state.kind) {
    case "creating":
    case "created":
    case "starting":
      return "created";
    case "running":
      return "running";
    case "exited":
    case "removing":
      return "exited";
    default:
      return record.state satisfies never;
  }
}

function matchesLabels(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> | undefined,
): boolean {
  return Object.entries(wanted ?? {}).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}

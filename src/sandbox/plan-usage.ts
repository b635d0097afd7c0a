import type { GroupQuestion } from "../runtime/read-group.ts";
import type { ContainerRecord } from "./container-record.ts";
import { containerPaths, type HostLayout, sandboxPaths } from "./host-paths.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** How a pod's own figures come about. */
export type PodPlan =
  /** Its control group holds this pod and nothing else. */
  | { readonly kind: "own"; readonly group: GroupQuestion }
  /** Its caller put several pods into one group: what its parts take is added up, `holder` being the PID namespace's. */
  | { readonly kind: "sum"; readonly holder: GroupQuestion | undefined };

/**
 * What to read of a container.
 * @param countProcesses which costs as much as all else, so that lists of containers, which don't show it, do without
 * @returns undefined for one that doesn't run: the kernel counts nothing of it
 */
export function planContainerGroup(
  layout: HostLayout,
  record: ContainerRecord,
  sandbox: SandboxRecord,
  detail: "cpu" | "usage" | "details",
  countProcesses: boolean,
): GroupQuestion | undefined {
  if (record.state.kind !== "running") return undefined;
  const pod = sandboxPaths(layout, sandbox.id, sandbox.spec.cgroupParent);
  const paths = containerPaths(layout, record.id, pod.cgroup);
  const group = { path: paths.cgroup, detail, countProcesses };
  return detail === "details" ? { ...group, firstPid: record.state.pid, diskDirectory: paths.disk } : group;
}

/** What to read of a pod. @param all every sandbox there is, to see who shares a control group */
export function planPodGroup(
  layout: HostLayout,
  sandbox: SandboxRecord,
  all: readonly SandboxRecord[],
  detail: "cpu" | "usage",
): PodPlan {
  const { cgroupParent, namespaces } = sandbox.spec;
  const path = sandboxPaths(layout, sandbox.id, cgroupParent).cgroup;
  const countProcesses = detail !== "cpu";
  const shared = cgroupParent !== "" && all.some((other) => other.id !== sandbox.id && overlaps(other, cgroupParent));
  if (!shared) return { kind: "own", group: { path, detail, countProcesses } };
  const holder = namespaces.pid === "pod" ? { path: `${path}/${sandbox.id}`, detail, countProcesses } : undefined;
  return { kind: "sum", holder };
}

/** Whether a pod's group is the parent's, or below it. */
function overlaps({ spec }: SandboxRecord, parent: string): boolean {
  const clean = (path: string) =>
    `${path
      .split("/")
      .filter((part) => part !== "")
      .join("/")}/`;
  return spec.cgroupParent !== "" && clean(spec.cgroupParent).startsWith(clean(parent));
}

import type { PodPins } from "../runtime/pod-namespaces.ts";
import type { SpecSandbox } from "../runtime/spec-input.ts";
import type { SandboxPaths } from "./host-paths.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";

/** Where the namespaces are pinned that a pod has of its own; a missing one is the host's. */
export function ownNamespaces({ namespaces }: SandboxPaths, { namespaces: modes }: SandboxSpec): PodPins {
  return {
    // As in containerd, a pod in the host's network has the host's name too.
    ...(modes.network === "pod" && { net: namespaces.net, uts: namespaces.uts }),
    ...(modes.ipc === "pod" && { ipc: namespaces.ipc }),
    ...(modes.user !== undefined && { user: namespaces.user }),
  };
}

/** The user namespace that a pod's processes join, for the spec planners. */
export function userOf({ namespaces }: SandboxPaths, { namespaces: { user } }: SandboxSpec): Pick<SpecSandbox, "user"> {
  return user === undefined ? {} : { user: { path: namespaces.user, mapping: user } };
}

/**
 * Who sets a pod's kernel parameters: the agent from outside, once, or each container from inside. The kernel lets only
 * the owner's root change those of an IPC namespace (ipc_sysctl.c).
 */
export function planSysctls({ sysctls = {}, namespaces }: Pick<SandboxSpec, "sysctls" | "namespaces">): {
  readonly outside: Readonly<Record<string, string>>;
  readonly inside: Readonly<Record<string, string>>;
} {
  if (namespaces.user === undefined) return { outside: sysctls, inside: {} };
  const entries = Object.entries(sysctls);
  const isNetwork = ([name]: readonly [string, string]) => name.startsWith("net.");
  return {
    outside: Object.fromEntries(entries.filter(isNetwork)),
    inside: Object.fromEntries(entries.filter((entry) => !isNetwork(entry))),
  };
}

/** What a pod's containers see at /dev/shm: shared memory goes with the IPC namespace. */
export function podShm(paths: SandboxPaths, { namespaces }: SandboxSpec): string {
  return namespaces.ipc === "pod" ? paths.shm : "/dev/shm";
}

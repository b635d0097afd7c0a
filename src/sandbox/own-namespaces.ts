import type { PodPins } from "../runtime/pod-namespaces.ts";
import type { SandboxPaths } from "./host-paths.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";

/** Where the namespaces are pinned that a pod has of its own; a missing one is the host's. */
export function ownNamespaces({ namespaces }: SandboxPaths, { namespaces: modes }: SandboxSpec): PodPins {
  return {
    // As in containerd, a pod in the host's network has the host's name too.
    ...(modes.network === "pod" && { net: namespaces.net, uts: namespaces.uts }),
    ...(modes.ipc === "pod" && { ipc: namespaces.ipc }),
  };
}

/** What a pod's containers see at /dev/shm: shared memory goes with the IPC namespace. */
export function podShm(paths: SandboxPaths, { namespaces }: SandboxSpec): string {
  return namespaces.ipc === "pod" ? paths.shm : "/dev/shm";
}

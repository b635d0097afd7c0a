import { within } from "../common/deadline.ts";
import { failpoint } from "../common/failpoint.ts";
import { removeBundle } from "../runtime/bundle.ts";
import { removeContainerDisk } from "../runtime/container-disk.ts";
import { unmountRootfs } from "../runtime/rootfs.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";

const stepTimeoutMs = 30_000;

/**
 * Takes away everything an ended container holds on the host, its log file aside: that is the caller's. Every step may
 * have been done before.
 */
export async function releaseContainer(deps: SandboxDeps, record: ContainerRecord): Promise<void> {
  const sandbox = deps.sandboxes.find(record.sandboxId);
  const pod = sandboxPaths(deps.layout, record.sandboxId, sandbox?.spec.cgroupParent ?? "");
  const paths = containerPaths(deps.layout, record.id, pod.cgroup);
  await deps.tasks.forget(record.id);
  await within("Unmounting the root filesystem", stepTimeoutMs, unmountRootfs(paths.rootfs));
  failpoint("remove.rootfs-unmounted");
  await deps.cgroups.kill(paths.cgroup);
  await deps.cgroups.remove(paths.cgroup);
  await removeBundle(paths.bundle);
  failpoint("remove.container-bundle-removed");
  await removeContainerDisk(paths.disk);
  failpoint("remove.container-disk-removed");
  await deps.images.release(record.id);
}

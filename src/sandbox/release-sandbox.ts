import { within } from "../common/deadline.ts";
import { failpoint } from "../common/failpoint.ts";
import { removeBundle } from "../runtime/bundle.ts";
import { unmountShm } from "../runtime/rootfs.ts";
import type { SandboxDeps } from "./deps.ts";
import { sandboxPaths } from "./host-paths.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** Clean-up has a deadline of its own, whatever became of the request it follows. */
const stepTimeoutMs = 30_000;

/**
 * Ends what a stopped sandbox no longer needs: its shim and its network. Every step may have been done before.
 * The containers must have ended.
 */
export async function releaseNetworkAndShim(deps: SandboxDeps, record: SandboxRecord): Promise<void> {
  const paths = sandboxPaths(deps.layout, record.id, record.spec.cgroupParent);
  // Neither needs the other; what both cost is what the slower one costs.
  const steps = await Promise.allSettled([
    within("Ending the pod's shim", stepTimeoutMs, deps.shims.shutDown(record)).then(() =>
      failpoint("stop.shim-ended"),
    ),
    within("Detaching the pod's network", stepTimeoutMs, deps.network.detach(record.id, paths.namespaces.net)).then(
      () => failpoint("stop.network-detached"),
    ),
  ]);
  for (const step of steps) if (step.status === "rejected") throw step.reason;
  await within("Removing the pod's netns", stepTimeoutMs, deps.namespaces.remove({ net: paths.namespaces.net }));
  failpoint("stop.netns-removed");
}

/** Takes away everything a sandbox holds on the host, its containers' things aside. Every step may have been done before. */
export async function releaseSandbox(deps: SandboxDeps, record: SandboxRecord): Promise<void> {
  const paths = sandboxPaths(deps.layout, record.id, record.spec.cgroupParent);
  await releaseNetworkAndShim(deps, record);
  await within("Removing the pod's namespaces", stepTimeoutMs, deps.namespaces.remove(paths.namespaces));
  failpoint("remove.namespaces-removed");
  await within("Unmounting the pod's shared memory", stepTimeoutMs, unmountShm(paths.shm));
  failpoint("remove.shm-unmounted");
  // A parent the caller named is the caller's to remove.
  if (record.spec.cgroupParent === "") {
    await deps.cgroups.kill(paths.cgroup);
    await deps.cgroups.remove(paths.cgroup);
  }
  await removeBundle(paths.bundle);
  failpoint("remove.bundle-removed");
  deps.shims.forget(record.id);
}

import { within } from "../common/deadline.ts";
import { hasCode } from "../common/errors.ts";
import type { ContainerId } from "../common/ids.ts";
import { unmountRootfs } from "../runtime/rootfs.ts";
import type { ProcessExit, Shim } from "../runtime/shim.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { endLost } from "./end-lost.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { planExit } from "./plan-exit.ts";

/** How long an ended container's last output may take to reach its log before the exit is shown all the same. */
const drainTimeoutMs = 2_000;
const deleteTimeoutMs = 30_000;

/**
 * Waits for a container's process to end, records how, deletes its task, and has its root file system unmounted, which
 * nothing can use any more. Never rejects, for nobody is there to hear it.
 * @returns whether the task was deleted; not when the unmount is done, which may take as long as a disk likes
 */
export async function watchExit(
  deps: SandboxDeps,
  id: ContainerId,
  shim: Shim,
  exit: Promise<ProcessExit>,
): Promise<boolean> {
  try {
    await recordExit(deps, id, await exit);
  } catch (error) {
    await recordLoss(deps, id, error);
  }
  try {
    await within("Deleting the ended task", deleteTimeoutMs, shim.delete(id));
  } catch (error) {
    if (!hasCode(error, "Unavailable")) {
      deps.log.warn({ containerId: id, error }, "ended task can't be deleted yet; its removal will try again");
    }
    return false;
  }
  unmountRootfs(containerPaths(deps.layout, id, "").rootfs).catch((error: unknown) => {
    deps.log.warn(
      { containerId: id, error },
      "ended container's files can't be unmounted yet; its removal tries again",
    );
  });
  return true;
}

async function recordExit(deps: SandboxDeps, id: ContainerId, exit: ProcessExit): Promise<void> {
  const record = deps.containers.find(id);
  if (record?.state.kind !== "running") return;
  // Read before the task is deleted, for its cgroup goes with it.
  const oomKilled = deps.cgroups.oomKills(cgroupOf(deps, record)) > 0;
  await within("Draining the output", drainTimeoutMs, deps.tasks.get(id)?.io.drained ?? Promise.resolve()).catch(
    () => undefined,
  );
  // A stop that could not wait for the shim has recorded the end meanwhile, and a removal may have followed.
  if (deps.containers.find(id)?.state.kind !== "running") return;
  const state = planExit({
    startedAtMs: record.state.startedAtMs,
    finishedAtMs: exit.exitedAtMs,
    exitCode: exit.exitCode,
    oomKilled,
  });
  deps.containers.put({ ...record, state });
  deps.log.info({ containerId: id, exitCode: state.exitCode, reason: state.reason }, "container exited");
}

/** The shim went away without telling: its own clean-up ends what still runs, and then the end is certain. */
async function recordLoss(deps: SandboxDeps, id: ContainerId, error: unknown): Promise<void> {
  const record = deps.containers.find(id);
  const sandbox = record && deps.sandboxes.find(record.sandboxId);
  if (record === undefined || sandbox === undefined) return;
  deps.log.warn({ containerId: id, error }, "the pod's shim was lost; ending its container");
  await endLost(deps, record, sandbox, "The pod's shim ended before the container did");
}

function cgroupOf(deps: SandboxDeps, record: ContainerRecord): string {
  const parent = deps.sandboxes.find(record.sandboxId)?.spec.cgroupParent ?? "";
  const pod = sandboxPaths(deps.layout, record.sandboxId, parent);
  return containerPaths(deps.layout, record.id, pod.cgroup).cgroup;
}

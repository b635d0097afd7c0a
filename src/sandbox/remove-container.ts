import { within } from "../common/deadline.ts";
import { failpoint } from "../common/failpoint.ts";
import type { ContainerId } from "../common/ids.ts";
import type { ContainerRecord, ExitedState } from "./container-record.ts";
import { deleteTask } from "./delete-task.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { releaseContainer } from "./release-container.ts";
import { stopContainer } from "./stop-container.ts";

const deleteTimeoutMs = 30_000;

/** Removes a container, killing it first if it runs. One that doesn't exist counts as removed. */
export async function removeContainer(deps: SandboxDeps, id: ContainerId): Promise<void> {
  for (;;) {
    await stopContainer(deps, id, 0);
    using _lock = await deps.locks.acquire(id);
    const record = deps.containers.find(id);
    if (record === undefined) return;
    // A start that came between the stop and the lock is stopped again.
    if (record.state.kind === "running") continue;
    return await remove(deps, record);
  }
}

async function remove(deps: SandboxDeps, record: ContainerRecord): Promise<void> {
  const removing = deps.containers.put({ ...record, state: { kind: "removing", last: lastExit(record) } });
  failpoint("remove.container-recorded");
  await deleteTaskOf(deps, record);
  failpoint("remove.task-deleted");
  await releaseContainer(deps, removing);
  deps.containers.delete(record.id);
  failpoint("remove.container-done");
}

/** By the shim; by the runtime alone where the shim does not answer, or has gone without it. */
async function deleteTaskOf(deps: SandboxDeps, record: ContainerRecord): Promise<void> {
  if (deps.tasks.get(record.id)?.deleted === true) return;
  const shimState = await deps.shims.ask(record.sandboxId);
  // What a silent shim has not told yet, it may never tell.
  if (shimState !== "silent") await deps.tasks.get(record.id)?.exited;
  if (shimState === "answers") {
    const shim = await deps.shims.connected(record.sandboxId);
    if (shim !== undefined) await within("Deleting the task", deleteTimeoutMs, deleteTask(shim, record.id));
    return;
  }
  const sandbox = deps.sandboxes.find(record.sandboxId);
  if (sandbox === undefined || !deps.shims.runtimeKnows(sandbox, record.id)) return;
  const pod = sandboxPaths(deps.layout, sandbox.id, sandbox.spec.cgroupParent);
  const { bundle, cgroup } = containerPaths(deps.layout, record.id, pod.cgroup);
  await deps.cgroups.kill(cgroup);
  await within("Deleting the task", deleteTimeoutMs, deps.shims.deleteByRuntime(sandbox, record.id, bundle));
  failpoint("remove.task-deleted-by-runtime");
}

function lastExit(record: ContainerRecord): ExitedState {
  if (record.state.kind === "exited") return record.state;
  if (record.state.kind === "removing") return record.state.last;
  return { kind: "exited", startedAtMs: 0, finishedAtMs: Date.now(), exitCode: 0, reason: "Completed", message: "" };
}

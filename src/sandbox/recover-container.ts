import type { ContainerId } from "../common/ids.ts";
import { ContainerIo } from "../runtime/container-io.ts";
import { recoverExecs } from "../runtime/exec-process.ts";
import type { Shim } from "../runtime/shim.ts";
import type { ContainerRecord } from "./container-record.ts";
import { deleteTask } from "./delete-task.ts";
import type { SandboxDeps } from "./deps.ts";
import { endLost } from "./end-lost.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { observeTask } from "./observe-pod.ts";
import { type ContainerRepair, type ObservedPod, planContainerRepair, type SandboxRepair } from "./plan-recovery.ts";
import { removeContainer } from "./remove-container.ts";
import { watchExit } from "./watch-exit.ts";

/**
 * Brings one container's record and task together. The caller holds the sandbox's lock.
 * @returns false when only a silent shim knows, so that it must be looked at again
 */
export async function recoverContainer(
  deps: SandboxDeps,
  id: ContainerId,
  podShim: ObservedPod["shim"],
  sandbox: SandboxRepair["kind"],
): Promise<boolean> {
  const record = deps.containers.find(id);
  if (record === undefined) return true;
  const shim = podShim === "silent" ? podShim : await deps.shims.connected(record.sandboxId);
  const task = await observeTask(record, shim);
  const repair = planContainerRepair(record, task, sandbox);
  deps.log.info({ containerId: id, state: record.state.kind, task, repair: repair.kind }, "container recovered");
  // Removing takes the lock by itself.
  if (repair.kind === "remove") {
    await removeContainer(deps, id);
    return true;
  }
  using _lock = await deps.locks.acquire(id);
  // A stop may have ended it while the shim was asked.
  const current = deps.containers.find(id);
  if (current?.state.kind !== record.state.kind) return current === undefined;
  deps.recoveries.setUnheard(id, repair.kind === "wait" && isGone(deps, record));
  await carryOut(deps, record, shim === "silent" ? undefined : shim, repair);
  return repair.kind !== "wait";
}

async function carryOut(
  deps: SandboxDeps,
  record: ContainerRecord,
  shim: Shim | undefined,
  repair: Exclude<ContainerRepair, { readonly kind: "remove" }>,
): Promise<void> {
  switch (repair.kind) {
    case "keep":
    case "wait":
      return;
    case "adopt":
      if (shim !== undefined) await adoptTask(deps, record, shim);
      return;
    case "revert":
      if (shim !== undefined) await deleteTask(shim, record.id);
      deps.containers.put({ ...record, state: { kind: "created" } });
      return;
    case "delete-task":
      if (shim !== undefined) await deleteTask(shim, record.id);
      return;
    case "lost":
      return await endLost(
        deps,
        record,
        deps.sandboxes.get(record.sandboxId),
        repair.message,
        shim === undefined ? "gone" : "answers",
      );
    default:
      repair satisfies never;
  }
}

/** Whether the process of a running container has certainly gone, though its shim has not told. */
function isGone(deps: SandboxDeps, record: ContainerRecord): boolean {
  if (record.state.kind !== "running") return false;
  const parent = deps.sandboxes.find(record.sandboxId)?.spec.cgroupParent ?? "";
  const pod = sandboxPaths(deps.layout, record.sandboxId, parent);
  return !deps.cgroups.pids(containerPaths(deps.layout, record.id, pod.cgroup).cgroup).includes(record.state.pid);
}

/** Takes up a task that outlived the agent: its output first, for it waits in full pipes, then its exit. */
async function adoptTask(deps: SandboxDeps, record: ContainerRecord, shim: Shim): Promise<void> {
  const io = await reopenIo(deps, record);
  io.start();
  await recoverExecs(shim, record.id, containerPaths(deps.layout, record.id, "").execs, deps.log);
  const exit = shim.wait(record.id);
  exit.catch(() => undefined);
  if (record.state.kind === "starting") {
    const { pid } = await shim.state(record.id);
    deps.containers.put({ ...record, state: { kind: "running", startedAtMs: Date.now(), pid } });
  }
  const exited = watchExit(deps, record.id, shim, exit);
  deps.tasks.add(record.id, { io, exited });
}

/** A log that can't be opened costs the container its log: with nobody at its pipes it would stand still. */
async function reopenIo(deps: SandboxDeps, record: ContainerRecord): Promise<ContainerIo> {
  const { settings } = record.spec;
  const log = deps.log.child({ containerId: record.id });
  const options = {
    directory: containerPaths(deps.layout, record.id, "").stdio,
    terminal: settings.tty,
    stdin: settings.stdin,
    log,
  };
  try {
    return await ContainerIo.reopen({ ...options, logPath: record.logPath });
  } catch (error) {
    log.error({ error, path: record.logPath }, "log can't be opened again; the output is discarded");
    return await ContainerIo.reopen({ ...options, logPath: "" });
  }
}

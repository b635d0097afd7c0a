import { constants as os } from "node:os";
import { delay, whileAlive, within } from "../common/deadline.ts";
import { hasCode } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { ContainerId } from "../common/ids.ts";
import { signalNumber } from "../common/signal-number.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { planExit } from "./plan-exit.ts";

/** How long a shim may take to tell of a killed process's exit before the kernel is asked instead. */
const exitTimeoutMs = 10_000;
/** Between two looks at a cgroup that is to become empty. */
const emptyPauseMs = 100;
/** 128 and SIGKILL. */
const killedExitCode = 137;

/**
 * Ends a container: its stop signal (once, however many ask), then SIGKILL when the grace is over. Callers that ask
 * meanwhile have graces of their own, and the shortest wins. A container that doesn't run, or doesn't exist, counts as
 * stopped. A shim that does not answer is passed over: the kernel ends the container then, by its cgroup. Holds no lock
 * while it waits.
 * @param graceMs 0: SIGKILL at once
 * @throws AgentError DeadlineExceeded or Cancelled when the caller's signal ends first; the stop goes on.
 *   DeadlineExceeded when processes survive SIGKILL
 */
export async function stopContainer(
  deps: SandboxDeps,
  id: ContainerId,
  graceMs: number,
  signal?: AbortSignal,
): Promise<void> {
  {
    // A start under way ends first, so that there is one process to stop or none.
    using _started = await deps.locks.acquire(id);
  }
  const record = deps.containers.find(id);
  if (record?.state.kind !== "running") return;
  await whileAlive(end(deps, record, graceMs), signal);
}

async function end(deps: SandboxDeps, record: ContainerRecord, graceMs: number): Promise<void> {
  const task = deps.tasks.get(record.id);
  const ended = task?.ended ?? untilEmpty(deps, record);
  if (graceMs > 0) {
    if (task?.stopSignalSent !== true) {
      if (task !== undefined) task.stopSignalSent = true;
      await signalInit(deps, record, signalNumber(record.stopSignal) ?? os.signals.SIGTERM);
      failpoint("stop.signal-sent");
    }
    const grace = new AbortController();
    await Promise.race([ended, delay(graceMs, grace.signal).catch(() => undefined)]);
    grace.abort();
  }
  if (!isRunning(deps, record.id)) return;
  const told = await kill(deps, record);
  failpoint("stop.kill-sent");
  try {
    if (told && task !== undefined) return await within("The shim's word of the exit", exitTimeoutMs, task.ended);
  } catch (error) {
    deps.log.warn({ containerId: record.id, error }, "the pod's shim does not tell of a killed container's exit");
  }
  await recordKill(deps, record);
}

/** SIGKILL through the shim; where that does not answer, through the kernel. @returns whether the shim took it */
async function kill(deps: SandboxDeps, record: ContainerRecord): Promise<boolean> {
  // Only a PID namespace of its own dies with its first process.
  const all = record.spec.settings.security.pid.kind !== "container";
  if (await tellShim(deps, record, os.signals.SIGKILL, all)) return true;
  deps.log.warn({ containerId: record.id }, "the pod's shim does not answer; its container is killed by its cgroup");
  await deps.cgroups.kill(cgroupOf(deps, record));
  return false;
}

/** Records an end that only the kernel has told: nothing is left in the container's cgroup. */
async function recordKill(deps: SandboxDeps, record: ContainerRecord): Promise<void> {
  const cgroup = cgroupOf(deps, record);
  const oomKilled = deps.cgroups.oomKills(cgroup) > 0;
  await deps.cgroups.kill(cgroup);
  using _lock = await deps.locks.acquire(record.id);
  const current = deps.containers.find(record.id);
  if (current?.state.kind !== "running") return;
  const { startedAtMs } = current.state;
  const state = planExit({ startedAtMs, finishedAtMs: Date.now(), exitCode: killedExitCode, oomKilled });
  deps.containers.put({ ...current, state });
  failpoint("stop.kill-recorded");
  deps.tasks.giveUp(record.id);
}

/** The stop signal, to the container's first process: by the shim, or by the kernel when the shim does not answer. */
async function signalInit(deps: SandboxDeps, record: ContainerRecord, signal: number): Promise<void> {
  if (record.state.kind !== "running" || (await tellShim(deps, record, signal, false))) return;
  const { pid } = record.state;
  // In the container's cgroup, the number is certainly still its own.
  if (deps.cgroups.pids(cgroupOf(deps, record)).includes(pid)) process.kill(pid, signal);
}

/** @returns whether the shim took the signal, or knows that there is nobody to take it */
async function tellShim(deps: SandboxDeps, record: ContainerRecord, signal: number, all: boolean): Promise<boolean> {
  if ((await deps.shims.ask(record.sandboxId)) !== "answers") return false;
  try {
    const shim = await deps.shims.connected(record.sandboxId);
    await shim?.kill(record.id, { signal, all });
    return shim !== undefined;
  } catch (error) {
    // It ended by itself, or with its shim: the exit is on its way.
    if (hasCode(error, "NotFound") || hasCode(error, "Unavailable") || hasCode(error, "FailedPrecondition"))
      return true;
    if (hasCode(error, "DeadlineExceeded")) return false;
    throw error;
  }
}

/** Resolves when nothing runs in the container's cgroup: for one whose shim has not been found again. */
async function untilEmpty(deps: SandboxDeps, record: ContainerRecord): Promise<void> {
  while (isRunning(deps, record.id) && deps.cgroups.pids(cgroupOf(deps, record)).length > 0) await delay(emptyPauseMs);
}

function isRunning(deps: SandboxDeps, id: ContainerId): boolean {
  return deps.containers.find(id)?.state.kind === "running";
}

function cgroupOf(deps: SandboxDeps, record: ContainerRecord): string {
  const parent = deps.sandboxes.find(record.sandboxId)?.spec.cgroupParent ?? "";
  const pod = sandboxPaths(deps.layout, record.sandboxId, parent);
  return containerPaths(deps.layout, record.id, pod.cgroup).cgroup;
}

import { constants as os } from "node:os";
import { delay, whileAlive, within } from "../common/deadline.ts";
import { AgentError, hasCode } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { ContainerId } from "../common/ids.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";

/** How long the kernel may take to end a process after SIGKILL, its last output and records included. */
const killTimeoutMs = 30_000;

/**
 * Ends a container: its stop signal (once, however many ask), then SIGKILL when the grace is over. Callers that ask
 * meanwhile have graces of their own, and the shortest wins. A container that doesn't run, or doesn't exist, counts as
 * stopped. Holds no lock while it waits.
 * @param graceMs 0: SIGKILL at once
 * @throws AgentError DeadlineExceeded or Cancelled when the caller's signal ends first; the stop goes on
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
  if (task === undefined) {
    throw new AgentError(
      "Internal",
      `Container "${record.id}" is recorded as running, but the agent holds no task of it`,
    );
  }
  if (graceMs > 0) {
    if (!task.stopSignalSent) {
      task.stopSignalSent = true;
      await sendSignal(deps, record, signalNumber(record.stopSignal), false);
      failpoint("stop.signal-sent");
    }
    const grace = new AbortController();
    await Promise.race([task.exited, delay(graceMs, grace.signal).catch(() => undefined)]);
    grace.abort();
  }
  if (deps.containers.find(record.id)?.state.kind !== "running") return;
  // Only a PID namespace of its own dies with its first process.
  const all = record.spec.settings.security.pid.kind !== "container";
  await sendSignal(deps, record, os.signals.SIGKILL, all);
  failpoint("stop.kill-sent");
  await within(`Killing container "${record.id}"`, killTimeoutMs, task.exited);
}

async function sendSignal(deps: SandboxDeps, record: ContainerRecord, signal: number, all: boolean): Promise<void> {
  try {
    const shim = await deps.shims.connected(record.sandboxId);
    await shim?.kill(record.id, { signal, all });
  } catch (error) {
    // It ended by itself, or with its shim: the exit is on its way.
    if (hasCode(error, "NotFound") || hasCode(error, "Unavailable") || hasCode(error, "FailedPrecondition")) return;
    throw error;
  }
}

/** "SIGRTMIN+3" and all the names of signal(7), checked when the request came in. */
function signalNumber(name: string): number {
  const realTime = /^SIGRTMIN\+([0-9]+)$/.exec(name);
  if (realTime !== null) return 34 + Number(realTime[1]);
  const fromTop = /^SIGRTMAX-([0-9]+)$/.exec(name);
  if (fromTop !== null) return 64 - Number(fromTop[1]);
  if (/^[0-9]+$/.test(name)) return Number(name);
  const numbers: Readonly<Record<string, number>> = { ...os.signals, SIGRTMIN: 34, SIGRTMAX: 64 };
  return numbers[name.startsWith("SIG") ? name : `SIG${name}`] ?? os.signals.SIGTERM;
}

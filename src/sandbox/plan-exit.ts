import type { ExitedState } from "./container-record.ts";

/** How a container's process ended, as far as is known. */
export interface ExitFacts {
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
}

/** The state and reason callers see; the words are those kubelet and crictl know. */
export function planExit(facts: ExitFacts): ExitedState {
  const reason = facts.oomKilled ? "OOMKilled" : facts.exitCode === 0 ? "Completed" : "Error";
  return {
    kind: "exited",
    startedAtMs: facts.startedAtMs,
    // A clock that stepped back must not let a process end before it began.
    finishedAtMs: Math.max(facts.finishedAtMs, facts.startedAtMs),
    exitCode: facts.exitCode,
    reason,
    message: "",
  };
}

/** A container that could not be started; 128 is what the field reports for "the runtime itself failed". */
export function startFailed(nowMs: number, message: string): ExitedState {
  return { kind: "exited", startedAtMs: 0, finishedAtMs: nowMs, exitCode: 128, reason: "StartError", message };
}

/** What the host shows of a container whose end nobody saw, before anything of it is cleaned up. */
export interface LossFacts {
  readonly startedAtMs: number;
  readonly nowMs: number;
  /** Processes of it that the kernel killed for want of memory. */
  readonly oomKills: number;
  /** Whether processes of it still run. */
  readonly alive: boolean;
  /** Why nobody saw it, for people. */
  readonly message: string;
}

/**
 * The end of a container that nobody saw. With no process left and one killed for want of memory, that was its end; 137 is
 * what the runtime would have reported.
 */
export function planLoss({ startedAtMs, nowMs, oomKills, alive, message }: LossFacts): ExitedState {
  const unknown = exitUnknown(startedAtMs, nowMs, message);
  return oomKills > 0 && !alive ? { ...unknown, exitCode: 137, reason: "OOMKilled" } : unknown;
}

/** A container whose end nobody saw; 255 as containerd reports it. */
function exitUnknown(startedAtMs: number, nowMs: number, message: string): ExitedState {
  return {
    kind: "exited",
    startedAtMs,
    finishedAtMs: Math.max(nowMs, startedAtMs),
    exitCode: 255,
    reason: "Unknown",
    message,
  };
}

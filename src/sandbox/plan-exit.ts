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

/** A container whose end nobody saw; 255 as containerd reports it. */
export function exitUnknown(startedAtMs: number, nowMs: number, message: string): ExitedState {
  return {
    kind: "exited",
    startedAtMs,
    finishedAtMs: Math.max(nowMs, startedAtMs),
    exitCode: 255,
    reason: "Unknown",
    message,
  };
}

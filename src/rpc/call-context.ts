import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import { AgentError } from "../common/errors.ts";

/** What an RPC knows of its caller. */
export interface CallContext {
  /** Aborts with an AgentError, DeadlineExceeded or Cancelled, when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** A client ends its call at its own clock's deadline, up to this much before ours strikes. */
const clockSlackMs = 50;

/** The signal of a call: its deadline and its client's going away are one event, told apart by the time it comes. */
export function callContext(
  call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>,
): CallContext {
  const controller = new AbortController();
  call.once("cancelled", () => controller.abort(endReason(Number(call.getDeadline()), Date.now())));
  if (call.cancelled) controller.abort(endReason(Number(call.getDeadline()), Date.now()));
  return { signal: controller.signal };
}

/**
 * Why a call ended before its answer.
 * @param deadlineMs of the call, milliseconds since the epoch; Infinity when it has none
 */
export function endReason(deadlineMs: number, nowMs: number): AgentError {
  return nowMs >= deadlineMs - clockSlackMs
    ? new AgentError("DeadlineExceeded", "The caller's deadline passed before the work ended")
    : new AgentError("Cancelled", "The caller went away before the work ended");
}

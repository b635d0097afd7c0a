import { AgentError } from "./errors.ts";

/** Resolves after the time, or rejects with the signal's reason. */
export function delay(timeoutMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, timeoutMs);
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * Waits for work no longer than the signal lives. The work itself goes on: this is how a client's deadline ends the
 * client's wait without abandoning half-done work.
 * @throws the signal's reason, as AgentError Cancelled or DeadlineExceeded when it carries none of ours
 */
export async function whileAlive<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(abortError(signal));
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  // The abandoned work reports through its other waiters or its own log line; here it must only not crash the process.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** What an aborted signal means to a caller. */
export function abortError(signal: AbortSignal): AgentError {
  if (signal.reason instanceof AgentError) return signal.reason;
  const timedOut = signal.reason instanceof Error && signal.reason.name === "TimeoutError";
  return timedOut
    ? new AgentError("DeadlineExceeded", "The deadline passed before the work ended", { cause: signal.reason })
    : new AgentError("Cancelled", "The caller went away before the work ended", { cause: signal.reason });
}

/**
 * Bounds one step.
 * @throws AgentError DeadlineExceeded naming the step; the step itself is not stopped
 */
export async function within<Result>(step: string, timeoutMs: number, work: Promise<Result>): Promise<Result> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new AgentError("DeadlineExceeded", `${step} did not end within ${timeoutMs} ms`)),
    timeoutMs,
  );
  work.catch(() => undefined);
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}

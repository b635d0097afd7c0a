import { abortError, whileAlive } from "../common/deadline.ts";
import { AgentError } from "../common/errors.ts";

interface Running<Result> {
  readonly promise: Promise<Result>;
  readonly controller: AbortController;
  waiters: number;
}

/**
 * One running call for each key, shared by all who want it. A caller that leaves ends only its own wait; when the last one
 * has left, the call is aborted and rolls itself back. Who comes during that roll-back waits for it and starts afresh.
 */
export class SharedWork<Result> {
  readonly #running = new Map<string, Running<Result>>();

  /** @throws what the call throws, or Cancelled or DeadlineExceeded as soon as the caller's signal aborts */
  async run(
    key: string,
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    for (;;) {
      if (signal?.aborted === true) throw abortError(signal);
      const running = this.#running.get(key) ?? this.#start(key, call);
      if (!running.controller.signal.aborted) return this.#join(running, signal);
      await whileAlive(
        running.promise.then(
          () => undefined,
          () => undefined,
        ),
        signal,
      );
    }
  }

  /** Aborts every call and waits for their roll-backs. */
  async close(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { controller } of running) controller.abort(new AgentError("Unavailable", "The agent is shutting down"));
    await Promise.allSettled(running.map(({ promise }) => promise));
  }

  #start(key: string, call: (signal: AbortSignal) => Promise<Result>): Running<Result> {
    const controller = new AbortController();
    const promise = call(controller.signal).finally(() => this.#running.delete(key));
    promise.catch(() => undefined);
    const running: Running<Result> = { promise, controller, waiters: 0 };
    this.#running.set(key, running);
    return running;
  }

  async #join(running: Running<Result>, signal: AbortSignal | undefined): Promise<Result> {
    running.waiters++;
    try {
      return await whileAlive(running.promise, signal);
    } finally {
      running.waiters--;
      // A call that has ended already does not mind.
      if (running.waiters === 0) {
        running.controller.abort(new AgentError("Cancelled", "Everybody who waited for the pull has left"));
      }
    }
  }
}

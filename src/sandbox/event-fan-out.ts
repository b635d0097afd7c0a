import { AgentError } from "../common/errors.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { CreationClock } from "./creation-clock.ts";
import type { EventKind } from "./plan-events.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** One change, with the whole pod as it was right after it. The records are shared and never change. */
export interface PodEvent {
  readonly kind: EventKind;
  /** Of the container, or of the sandbox when it is the sandbox that changed. */
  readonly id: string;
  /** Milliseconds since the epoch, with a fraction; later than that of every event before. */
  readonly createdAtMs: number;
  readonly sandbox: SandboxRecord;
  /** The pod's containers that callers see. */
  readonly containers: readonly ContainerRecord[];
}

/** Events that may wait for one subscriber: a node's whole pods restarting at once, several times over. */
export const subscriberLimit = 4096;
/** Events kept while nobody listens, and for how long: kubelet is back from a restart of its own sooner. */
export const backlogLimit = 1024;
export const backlogAgeMs = 5 * 60_000;

/**
 * Hands every event to every subscriber. Publishing never waits: each subscriber has a bounded queue, and one that falls
 * behind it is cut off with ResourceExhausted, since kubelet reacts to a broken stream by listing everything anew, while
 * a gap in the stream would stay unnoticed for minutes. While nobody is subscribed, events wait for the first who comes:
 * those of the agent's own recovery would be lost otherwise.
 */
export class EventFanOut implements Disposable {
  readonly #clock: CreationClock;
  readonly #subscribers = new Set<Subscriber>();
  #backlog: PodEvent[] = [];
  #closed = false;

  constructor(clock: CreationClock) {
    this.#clock = clock;
  }

  /** How many listen now. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  publish(event: Omit<PodEvent, "createdAtMs">): void {
    const stamped: PodEvent = { ...event, createdAtMs: this.#clock.next() };
    for (const subscriber of this.#subscribers) subscriber.push(stamped);
    if (this.#subscribers.size > 0) return;
    this.#backlog.push(stamped);
    if (this.#backlog.length > backlogLimit) this.#backlog.shift();
  }

  /**
   * Events from now on, after those that nobody has heard yet. Subscribed from the first `next()` until the signal aborts
   * or the iteration is left.
   * @throws AgentError ResourceExhausted for a subscriber that was too slow, Unavailable when the agent ends
   */
  async *subscribe(signal: AbortSignal): AsyncGenerator<PodEvent, void> {
    const subscriber = new Subscriber();
    const oldestMs = Date.now() - backlogAgeMs;
    for (const event of this.#backlog) if (event.createdAtMs >= oldestMs) subscriber.push(event);
    this.#backlog = [];
    const leave = () => subscriber.end(undefined);
    signal.addEventListener("abort", leave, { once: true });
    this.#subscribers.add(subscriber);
    if (this.#closed) subscriber.end(closing());
    if (signal.aborted) leave();
    try {
      yield* subscriber.events();
    } finally {
      this.#subscribers.delete(subscriber);
      signal.removeEventListener("abort", leave);
    }
  }

  /** Ends every subscription, for the agent is about to end. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const subscriber of this.#subscribers) subscriber.end(closing());
  }
}

function closing(): AgentError {
  return new AgentError("Unavailable", "The agent is shutting down: subscribe again and list what there is");
}

/** The bounded queue between the publisher and one reader. */
class Subscriber {
  readonly #waiting: PodEvent[] = [];
  #ended: { readonly error: AgentError | undefined } | undefined;
  #wake: () => void = () => undefined;

  push(event: PodEvent): void {
    if (this.#ended !== undefined) return;
    if (this.#waiting.length < subscriberLimit) this.#waiting.push(event);
    else this.end(tooSlow());
    this.#wake();
  }

  /** What waits is dropped: after an error the reader has to list anyway. */
  end(error: AgentError | undefined): void {
    this.#ended ??= { error };
    this.#waiting.length = 0;
    this.#wake();
  }

  async *events(): AsyncGenerator<PodEvent, void> {
    for (;;) {
      if (this.#ended?.error !== undefined) throw this.#ended.error;
      if (this.#ended !== undefined) return;
      const event = this.#waiting.shift();
      if (event !== undefined) {
        yield event;
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

function tooSlow(): AgentError {
  return new AgentError(
    "ResourceExhausted",
    `More than ${subscriberLimit} events wait for this subscriber: subscribe again and list what was missed`,
  );
}

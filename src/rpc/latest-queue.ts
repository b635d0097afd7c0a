/**
 * A queue between a producer that never waits and a consumer that may be slow. For each key only the latest value is
 * kept, at the place of the first one that still waits; beyond the limit the oldest key's value goes.
 */
export class LatestQueue<Value> {
  readonly #waiting = new Map<string, Value>();
  readonly #limit: number;
  #wake: () => void = () => undefined;
  #closed = false;

  /** @param limit how many keys may wait at once, 1 or more */
  constructor(limit: number) {
    this.#limit = limit;
  }

  push(key: string, value: Value): void {
    if (this.#closed) return;
    this.#waiting.set(key, value);
    if (this.#waiting.size > this.#limit) {
      for (const oldest of this.#waiting.keys()) {
        this.#waiting.delete(oldest);
        break;
      }
    }
    this.#wake();
  }

  /** Lets the consumer end after what waits now. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  /** Values as they come, until the queue is closed and empty. For one consumer. */
  async *values(): AsyncGenerator<Value, void> {
    for (;;) {
      for (const [key, value] of this.#waiting) {
        this.#waiting.delete(key);
        yield value;
        // What was pushed while the consumer was busy belongs in this round: the map's order has it.
      }
      if (this.#closed) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }
}

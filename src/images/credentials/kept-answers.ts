import { whileAlive } from "../../common/deadline.ts";
import { SingleFlight } from "../../common/single-flight.ts";

interface Kept<Value> {
  readonly value: Value;
  readonly untilMs: number;
}

/** Answers that stay good for a while; one that many want at once is asked for once, and for none of them alone. */
export class KeptAnswers<Value> {
  readonly #nowMs: () => number;
  readonly #kept = new Map<string, Kept<Value>>();
  readonly #running = new SingleFlight<Value>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /**
   * What is known, or what `ask` gives.
   * @param goodUntilMs until when an answer is kept, on the clock of the constructor
   * @param signal ends the wait, not the asking
   */
  async get(
    key: string,
    signal: AbortSignal,
    ask: () => Promise<Value>,
    goodUntilMs: (value: Value) => number,
  ): Promise<Value> {
    const now = this.#nowMs();
    for (const [other, { untilMs }] of this.#kept) if (untilMs <= now) this.#kept.delete(other);
    const known = this.#kept.get(key);
    if (known !== undefined) return known.value;
    const asked = this.#running.run(key, async () => {
      const value = await ask();
      this.#kept.set(key, { value, untilMs: goodUntilMs(value) });
      return value;
    });
    return await whileAlive(asked, signal);
  }

  forget(key: string): void {
    this.#kept.delete(key);
  }
}

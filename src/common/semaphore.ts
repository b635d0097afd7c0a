/** A bounded number of permits, handed out first in, first out. */
export class Semaphore {
  #free: number;
  readonly #waiters: Array<() => void> = [];

  /** @param permits how many holders there may be at once, 1 or more */
  constructor(permits: number) {
    this.#free = permits;
  }

  /** Waits for a permit. Disposing the result gives it back; a second disposal does nothing. */
  async acquire(signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#wait(signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const next = this.#waiters.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const admit = () => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiters.splice(this.#waiters.indexOf(admit), 1);
        reject(signal?.reason);
      };
      this.#waiters.push(admit);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }
}

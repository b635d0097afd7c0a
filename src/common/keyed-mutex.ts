/** First-in first-out locks, one for each key; a key without holders costs nothing. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  /** Waits for the key's earlier holders. Dispose the result (once or more) to let the next one in. */
  async acquire(key: string): Promise<Disposable> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    const { promise: released, resolve } = Promise.withResolvers<void>();
    const tail = before.then(() => released);
    this.#tails.set(key, tail);
    await before;
    return {
      [Symbol.dispose]: () => {
        resolve();
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
      },
    };
  }
}

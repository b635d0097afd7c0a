/**
 * A lock that many may share or one may have alone. First come, first served: whoever wants it alone waits for those who
 * share it now, and those who come later wait for him.
 */
export class SharedLock {
  /** Settles when all who came since the last who wants it alone have let go. */
  #sharers: Promise<void> = Promise.resolve();
  /** Settles when the last who wants it alone has let go. */
  #alone: Promise<void> = Promise.resolve();

  /** Waits until nobody has it alone. Dispose the result, once or more, to let go. */
  async share(): Promise<Disposable> {
    const before = this.#alone;
    const { promise: released, resolve } = Promise.withResolvers<void>();
    this.#sharers = Promise.all([this.#sharers, released]).then(() => undefined);
    await before;
    return { [Symbol.dispose]: () => resolve() };
  }

  /** Waits until nobody else has it. Dispose the result, once or more, to let go. */
  async own(): Promise<Disposable> {
    const before = Promise.all([this.#alone, this.#sharers]);
    const { promise: released, resolve } = Promise.withResolvers<void>();
    this.#alone = before.then(() => released);
    this.#sharers = Promise.resolve();
    await before;
    return { [Symbol.dispose]: () => resolve() };
  }
}

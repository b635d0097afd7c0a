/**
 * One running call for each key; callers that come meanwhile share its outcome.
 * The call belongs to nobody: a caller that stops waiting does not stop it.
 */
export class SingleFlight<Result> {
  readonly #running = new Map<string, Promise<Result>>();

  run(key: string, call: () => Promise<Result>): Promise<Result> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const started = call().finally(() => this.#running.delete(key));
    this.#running.set(key, started);
    return started;
  }

  /** Whether a call for the key is running. */
  has(key: string): boolean {
    return this.#running.has(key);
  }
}

/** What a pull tells while it runs. */
export interface PullProgress {
  /** Canonical reference of the image. */
  readonly reference: string;
  /** Digest of the layer's blob; "" for the whole image. */
  readonly layer: string;
  readonly phase: "resolving" | "downloading" | "unpacking" | "exists" | "done" | "failed";
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Why it failed, when it did. */
  readonly error?: string;
}

/** Tells every listener. A listener that throws is left alone: progress must not break a pull. */
export class ProgressFeed {
  readonly #listeners = new Set<(event: PullProgress) => void>();

  listen(listener: (event: PullProgress) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  tell(event: PullProgress): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // The listener's own fault.
      }
    }
  }
}

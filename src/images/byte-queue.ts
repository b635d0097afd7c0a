/** A bounded queue of byte chunks between one writer and one reader on the same event loop. */
export class ByteQueue {
  readonly #chunks: Buffer[] = [];
  readonly #highBytes: number;
  readonly #onRoom: () => void;
  readonly #onDone: (chunk: Buffer) => void;
  #heldBytes = 0;
  #end: { readonly error: unknown } | undefined;
  #wake: (() => void) | undefined;

  /**
   * @param highBytes what {@link push} reports as full
   * @param onRoom called when a full queue has been read down to half of that
   * @param onDone called with a chunk when the reader asks for the one behind it
   */
  constructor(highBytes: number, onRoom: () => void, onDone: (chunk: Buffer) => void = () => undefined) {
    this.#highBytes = highBytes;
    this.#onRoom = onRoom;
    this.#onDone = onDone;
  }

  /** @returns whether there is room for more; a chunk pushed all the same is kept */
  push(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    this.#wakeReader();
    return this.#heldBytes < this.#highBytes;
  }

  /** No more chunks. @param error makes the reader throw after what was pushed before it */
  close(error?: unknown): void {
    this.#end ??= { error };
    this.#wakeReader();
  }

  async *read(): AsyncGenerator<Buffer, void, undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        const before = this.#heldBytes;
        this.#heldBytes -= chunk.length;
        const half = this.#highBytes / 2;
        if (before > half && this.#heldBytes <= half) this.#onRoom();
        yield chunk;
        this.#onDone(chunk);
      } else if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #wakeReader(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

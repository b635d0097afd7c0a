import type { Writable } from "node:stream";
import type { FifoReader } from "./fifo.ts";

const tickMs = 50;

/**
 * Carries a process's output to its client, which makes the process wait when it is slow. What comes for a client that
 * has gone is read and dropped.
 */
export class OutputPump {
  readonly #reader: FifoReader;
  readonly #sink: Writable;
  #ended = false;

  /** Resolves, never rejects, when the output has ended and all of it was handed over. */
  readonly ended: Promise<void>;

  constructor(reader: FifoReader, sink: Writable) {
    this.#reader = reader;
    this.#sink = sink;
    const resume = () => reader.resume();
    sink.on("drain", resume);
    sink.on("close", resume);
    this.ended = reader.ended.then(() => {
      this.#ended = true;
      sink.off("drain", resume);
      sink.off("close", resume);
      // The client learns that this output has ended, even if the process goes on.
      if (!sink.destroyed) sink.end();
    });
  }

  /** Begins to read; once the shim has opened its end. */
  start(): void {
    // The reader's buffer is its own.
    this.#reader.start((chunk) => this.#sink.destroyed || this.#sink.write(Buffer.from(chunk)));
  }

  /** Whether it waits for the process, and not for the client. */
  get idle(): boolean {
    return !this.#ended && !this.#sink.writableNeedDrain;
  }
}

/**
 * Waits until all outputs have ended, or those that have not were waited for so long without their client being the
 * reason: a background child may hold an output open for ever, a slow client must get all there is.
 */
export async function drained(pumps: readonly OutputPump[], idleMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let leftMs = idleMs;
  const timer = setInterval(() => {
    if (pumps.some((pump) => pump.idle)) leftMs -= tickMs;
    if (leftMs <= 0) resolve();
  }, tickMs);
  await Promise.race([promise, Promise.all(pumps.map(({ ended }) => ended))]);
  clearInterval(timer);
}

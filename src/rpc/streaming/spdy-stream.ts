import { Duplex } from "node:stream";
import type { SpdyHeaders } from "./spdy-headers.ts";

/** What a stream needs of its connection. */
export interface StreamCarrier {
  /** @param done called when the bytes have left for the kernel, or can't any more */
  sendData(streamId: number, chunk: Buffer, fin: boolean, done: (error?: Error | null) => void): void;
  /** The reader has caught up. */
  streamDrained(stream: SpdyStream): void;
  /** @param complete both sides had finished; otherwise the other side has to be told */
  streamClosed(stream: SpdyStream, complete: boolean): void;
}

/** Bytes that a stream keeps for a slow reader before the connection stops reading. */
const readAheadBytes = 128 << 10;

/**
 * One stream of a SPDY connection, opened by the other side. Ending it is half a close (FIN); destroying it before both
 * sides have finished resets it.
 */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #carrier: StreamCarrier;
  /** Received since the other side was last given credit for it. */
  #uncreditedBytes = 0;
  #receivedFin = false;
  #sentFin = false;

  constructor(carrier: StreamCarrier, id: number, headers: SpdyHeaders) {
    super({ readableHighWaterMark: readAheadBytes, writableHighWaterMark: 64 << 10 });
    this.#carrier = carrier;
    this.id = id;
    this.headers = headers;
    // Whoever uses it listens; a reset of a stream that nobody uses is no crash.
    this.on("error", () => undefined);
    // One that was full when its end came is not asked for more.
    this.once("end", () => carrier.streamDrained(this));
  }

  /** Bytes from the other side. @returns false when no more should come until streamDrained */
  receive(chunk: Buffer, fin: boolean): boolean {
    if (this.#receivedFin || this.destroyed) return true;
    this.#uncreditedBytes += chunk.length;
    const room = chunk.length === 0 || this.push(chunk);
    if (fin) {
      this.#receivedFin = true;
      this.push(null);
    }
    return room;
  }

  /** What the other side may send again, now that it was read. */
  takeCredit(atLeast: number): number {
    if (this.#uncreditedBytes < atLeast || this.#receivedFin) return 0;
    const credit = this.#uncreditedBytes;
    this.#uncreditedBytes = 0;
    return credit;
  }

  override _read(): void {
    this.#carrier.streamDrained(this);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#carrier.sendData(this.id, chunk, false, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#sentFin = true;
    this.#carrier.sendData(this.id, Buffer.alloc(0), true, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#carrier.streamClosed(this, this.#receivedFin && this.#sentFin);
    done(error);
  }
}

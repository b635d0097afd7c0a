import type { Duplex } from "node:stream";
import { errorText } from "../../common/errors.ts";
import { SpdyError } from "./spdy-error.ts";
import { frameHead, rstStatus, type SpdyFrame, SpdyFrameReader } from "./spdy-frame.ts";
import { SpdyHeaderReader, SpdyHeaderWriter } from "./spdy-headers.ts";
import { SpdyStream, type StreamCarrier } from "./spdy-stream.ts";

export interface SpdyConnectionOptions {
  /** Streams open at once; more are refused. */
  readonly mostStreams: number;
  readonly pingMs?: number;
  /** Takes a stream, which was not answered yet: nothing may be written before this returns. @returns whether it is wanted; otherwise it is reset */
  readonly onStream: (stream: SpdyStream) => boolean;
}

/** A quarter of the window that SPDY/3.1 begins with, so that nobody who keeps to it ever stands still. */
const creditBytes = 16 << 10;
/**
 * While a stream is full, or a client says nothing, only a write tells that the client has gone: its kernel answers
 * with a reset.
 */
const usualPingMs = 15_000;
/** How long a client may take to close its side after ours. */
const lingerMs = 10_000;
const goAwayOk = 0;
const goAwayProtocolError = 1;

/**
 * The server's side of a SPDY/3.1 connection: streams that the client opens, over any duplex byte stream.
 *
 * It gives the client credit (WINDOW_UPDATE) as streams are read, and looks at none itself: Kubernetes' clients know
 * no windows and send none. What bounds the queues is the byte stream below: it isn't read while a stream is full, and
 * a stream's writer waits until its bytes have left.
 */
export class SpdyConnection implements StreamCarrier {
  readonly #transport: Duplex;
  readonly #options: SpdyConnectionOptions;
  readonly #frames = new SpdyFrameReader();
  readonly #headersIn = new SpdyHeaderReader();
  readonly #headersOut = new SpdyHeaderWriter();
  readonly #streams = new Map<number, SpdyStream>();
  /** Those that nobody reads fast enough. */
  readonly #full = new Set<SpdyStream>();
  readonly #closed = Promise.withResolvers<Error | undefined>();
  #lastStreamId = 0;
  readonly #pings: NodeJS.Timeout;
  #lastPingId = 0;
  #ending = false;

  /** Resolves, never rejects, when the transport has gone: with what broke it, or nothing. */
  readonly closed: Promise<Error | undefined> = this.#closed.promise;

  /** @param head bytes that were read from the transport already */
  constructor(transport: Duplex, head: Buffer, options: SpdyConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    transport.on("data", (chunk: Buffer) => this.#receive(chunk));
    transport.on("error", (error) => this.#abandon(error));
    transport.on("end", () => this.#abandon(undefined));
    transport.on("close", () => this.#abandon(undefined));
    this.#pings = setInterval(() => this.#ping(), options.pingMs ?? usualPingMs).unref();
    // Streams come to life only when the caller has seen the connection.
    if (head.length > 0) queueMicrotask(() => this.#receive(head));
  }

  /**
   * Says good-bye after everything that was written, and lets the transport end. What the client still sends is read
   * and dropped, for closing over unread bytes would reset the connection and lose what it has not read yet.
   */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#send({ kind: "goAway", lastStreamId: this.#lastStreamId, status: goAwayOk });
    this.#transport.end();
    this.#full.clear();
    this.#transport.resume();
    const linger = setTimeout(() => this.#transport.destroy(), lingerMs).unref();
    void this.closed.then(() => clearTimeout(linger));
  }

  /** Ends at once. */
  destroy(): void {
    this.#transport.destroy();
  }

  sendData(streamId: number, chunk: Buffer, fin: boolean, done: (error?: Error | null) => void): void {
    if (!this.#transport.writable) {
      done(new Error("The connection has been closed"));
      return;
    }
    this.#transport.cork();
    const head = frameHead({ kind: "data", streamId, chunk, fin });
    if (chunk.length === 0) this.#transport.write(head, done);
    else {
      this.#transport.write(head);
      this.#transport.write(chunk, done);
    }
    this.#transport.uncork();
  }

  streamDrained(stream: SpdyStream): void {
    this.#giveCredit(stream);
    if (this.#full.delete(stream) && this.#full.size === 0) this.#transport.resume();
  }

  streamClosed(stream: SpdyStream, complete: boolean): void {
    this.#streams.delete(stream.id);
    if (this.#full.delete(stream) && this.#full.size === 0) this.#transport.resume();
    if (!complete && !this.#ending) {
      this.#send({ kind: "rstStream", streamId: stream.id, status: rstStatus.cancel });
    }
  }

  #receive(chunk: Buffer): void {
    if (this.#ending) return;
    try {
      for (const frame of this.#frames.push(chunk)) this.#handle(frame);
    } catch (error) {
      if (!(error instanceof SpdyError)) throw error;
      this.#send({ kind: "goAway", lastStreamId: this.#lastStreamId, status: goAwayProtocolError });
      this.#transport.destroy(error);
    }
  }

  #handle(frame: SpdyFrame): void {
    switch (frame.kind) {
      case "data":
        this.#handleData(frame.streamId, frame.chunk, frame.fin);
        return;
      case "synStream":
        this.#open(frame.streamId, frame.fin, frame.headerBlock);
        return;
      case "synReply":
      case "headers":
        // Nothing in them matters here, but the next block builds on them.
        this.#headersIn.read(frame.headerBlock);
        return;
      case "rstStream":
        this.#streams.get(frame.streamId)?.destroy(new Error("The client reset the stream"));
        return;
      case "ping":
        // Even numbers would be answers to pings of ours.
        if (frame.id % 2 === 1) this.#send(frame);
        return;
      case "goAway":
      case "windowUpdate":
      case "settings":
        return;
      default:
        frame satisfies never;
    }
  }

  #handleData(streamId: number, chunk: Buffer, fin: boolean): void {
    const stream = this.#streams.get(streamId);
    // One that was closed here while this was on its way.
    if (stream === undefined) return;
    if (stream.receive(chunk, fin)) this.#giveCredit(stream);
    else {
      this.#full.add(stream);
      this.#transport.pause();
    }
  }

  #giveCredit(stream: SpdyStream): void {
    const delta = stream.takeCredit(creditBytes);
    if (delta === 0) return;
    for (const streamId of [stream.id, 0]) this.#send({ kind: "windowUpdate", streamId, delta });
  }

  #open(streamId: number, fin: boolean, headerBlock: Buffer): void {
    const headers = this.#headersIn.read(headerBlock);
    if (streamId % 2 === 0 || streamId <= this.#lastStreamId) {
      throw new SpdyError(`A client opened stream ${streamId} after ${this.#lastStreamId}: ids must be odd and rising`);
    }
    this.#lastStreamId = streamId;
    const stream = new SpdyStream(this, streamId, headers);
    if (this.#streams.size >= this.#options.mostStreams || !this.#options.onStream(stream)) {
      this.#send({ kind: "rstStream", streamId, status: rstStatus.refusedStream });
      return;
    }
    this.#streams.set(streamId, stream);
    this.#send({ kind: "synReply", streamId, fin: false, headerBlock: this.#headersOut.write({}) });
    if (fin) stream.receive(Buffer.alloc(0), true);
  }

  #ping(): void {
    this.#lastPingId = (this.#lastPingId % 0x7ffffffe) + 2;
    this.#send({ kind: "ping", id: this.#lastPingId });
  }

  #send(frame: SpdyFrame): void {
    if (this.#transport.writable) this.#transport.write(frameHead(frame));
  }

  #abandon(error: Error | undefined): void {
    this.#ending = true;
    clearInterval(this.#pings);
    for (const stream of this.#streams.values()) {
      stream.destroy(new Error(error === undefined ? "The client has gone" : errorText(error)));
    }
    this.#streams.clear();
    this.#closed.resolve(error);
    if (!this.#transport.destroyed) this.#transport.end();
  }
}

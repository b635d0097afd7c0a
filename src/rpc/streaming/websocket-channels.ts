import { Duplex } from "node:stream";
import type WebSocket from "ws";
import { type ChannelProtocol, decodeMessage, encodeMessage } from "./channel-codec.ts";

export interface ChannelSet {
  /** Channels the client may write to; messages for others are dropped. */
  readonly readable: readonly number[];
  readonly writable: readonly number[];
}

/** Bytes that a channel keeps for a slow reader before the connection stops reading. */
const readAheadBytes = 128 << 10;
const usualPingMs = 15_000;
const normalClosure = 1000;

/** The channels of one WebSocket connection as streams. While one of them is full, the connection isn't read. */
export class WebSocketChannels {
  readonly #socket: WebSocket;
  readonly #channels = new Map<number, Channel>();
  readonly #full = new Set<Channel>();
  readonly #closed = Promise.withResolvers<Error | undefined>();

  /** Resolves, never rejects, when the connection has gone: with what broke it, or nothing. */
  readonly closed: Promise<Error | undefined> = this.#closed.promise;

  constructor(socket: WebSocket, protocol: ChannelProtocol, set: ChannelSet, pingMs = usualPingMs) {
    this.#socket = socket;
    for (const number of new Set([...set.readable, ...set.writable])) {
      const channel = new Channel(
        (chunk, done) => socket.send(encodeMessage(protocol, number, chunk), done),
        () => this.#drained(channel),
      );
      if (!set.readable.includes(number)) channel.receiveEnd();
      this.#channels.set(number, channel);
    }
    // A connection that is not read learns of a client's going away only by writing.
    const pings = setInterval(() => socket.ping(), pingMs).unref();
    socket.on("message", (data: Buffer) => this.#receive(protocol, data));
    socket.on("error", (error) => this.#abandon(error));
    socket.on("close", () => {
      clearInterval(pings);
      this.#abandon(undefined);
    });
  }

  /** @throws Error for a channel that is not of the set */
  channel(number: number): Duplex {
    const channel = this.#channels.get(number);
    if (channel === undefined) throw new Error(`There is no channel ${number}`);
    return channel;
  }

  /** Closes the connection after everything that was written. */
  end(): void {
    this.#full.clear();
    this.#socket.resume();
    this.#socket.close(normalClosure);
  }

  /** Ends at once. */
  destroy(): void {
    this.#socket.terminate();
  }

  #receive(protocol: ChannelProtocol, data: Buffer): void {
    const message = decodeMessage(protocol, data);
    const channel = message === undefined ? undefined : this.#channels.get(message.channel);
    if (message === undefined || channel === undefined) return;
    if (message.kind === "close") channel.receiveEnd();
    else if (!channel.receive(message.chunk)) {
      this.#full.add(channel);
      this.#socket.pause();
    }
  }

  #drained(channel: Channel): void {
    if (this.#full.delete(channel) && this.#full.size === 0) this.#socket.resume();
  }

  #abandon(error: Error | undefined): void {
    for (const channel of this.#channels.values()) channel.destroy(error ?? new Error("The client has gone"));
    this.#closed.resolve(error);
  }
}

type Send = (chunk: Buffer, done: (error?: Error | null) => void) => void;

class Channel extends Duplex {
  readonly #send: Send;
  readonly #drained: () => void;
  #ended = false;

  constructor(send: Send, drained: () => void) {
    super({ readableHighWaterMark: readAheadBytes, writableHighWaterMark: 64 << 10 });
    this.#send = send;
    this.#drained = drained;
    this.on("error", () => undefined);
    // One that was full when its end came is not asked for more.
    this.once("end", drained);
  }

  receive(chunk: Buffer): boolean {
    return this.#ended || this.destroyed || chunk.length === 0 || this.push(chunk);
  }

  receiveEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push(null);
  }

  override _read(): void {
    this.#drained();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#send(chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#drained();
    done(error);
  }
}

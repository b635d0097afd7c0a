import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { frameHead, type SpdyFrame, SpdyFrameReader } from "../../src/rpc/streaming/spdy-frame.ts";
import { SpdyHeaderReader, type SpdyHeaders, SpdyHeaderWriter } from "../../src/rpc/streaming/spdy-headers.ts";
import { eventually } from "./eventually.ts";

/** What has come on one stream. */
export interface ReceivedStream {
  text: string;
  replied: boolean;
  ended: boolean;
  reset: boolean;
}

/** Sends a request that asks for an upgrade. @returns the connection, or the answer that refused it */
export async function askUpgrade(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly socket: Socket; readonly response: IncomingMessage } | { readonly refused: IncomingMessage }> {
  const call = request(url, { method: "POST", headers: { Connection: "Upgrade", ...headers } }).end();
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof askUpgrade>>>();
  call.on("upgrade", (response, socket) => resolve({ response, socket: socket as Socket }));
  call.on("response", (refused) => resolve({ refused }));
  call.on("error", reject);
  return promise;
}

/** A client of SPDY/3.1 that shows what it gets, frame by frame. */
export class SpdyClient implements Disposable {
  readonly socket: Socket;
  readonly frames: SpdyFrame[] = [];
  readonly #reader = new SpdyFrameReader();
  readonly #headersIn = new SpdyHeaderReader();
  readonly #headersOut = new SpdyHeaderWriter();
  readonly #streams = new Map<number, ReceivedStream>();
  #lastId = -1;
  ended = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("data", (chunk: Buffer) => {
      for (const frame of this.#reader.push(chunk)) this.#take(frame);
    });
    socket.on("close", () => {
      this.ended = true;
    });
    socket.on("end", () => socket.end());
  }

  static async connect(url: string, protocols: string): Promise<SpdyClient> {
    const answer = await askUpgrade(url, { Upgrade: "SPDY/3.1", "X-Stream-Protocol-Version": protocols });
    if ("refused" in answer) throw new Error(`refused with ${answer.refused.statusCode}`);
    return new SpdyClient(answer.socket);
  }

  /** Opens a stream and does not wait for the answer. @returns its id */
  open(headers: SpdyHeaders): number {
    this.#lastId += 2;
    this.send({
      kind: "synStream",
      streamId: this.#lastId,
      fin: false,
      unidirectional: false,
      headerBlock: this.#headersOut.write(headers),
    });
    return this.#lastId;
  }

  send(frame: SpdyFrame): void {
    this.socket.write(frameHead(frame));
    if (frame.kind === "data") this.socket.write(frame.chunk);
  }

  write(streamId: number, text: string, fin = false): void {
    this.send({ kind: "data", streamId, chunk: Buffer.from(text), fin });
  }

  stream(id: number): ReceivedStream {
    const found = this.#streams.get(id) ?? { text: "", replied: false, ended: false, reset: false };
    this.#streams.set(id, found);
    return found;
  }

  /** Waits for the connection's end. */
  async closed(): Promise<void> {
    if (!this.ended) await once(this.socket, "close");
  }

  async until(what: string, probe: () => boolean): Promise<void> {
    await eventually(what, probe);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #take(frame: SpdyFrame): void {
    this.frames.push(frame);
    if (frame.kind === "data") {
      const stream = this.stream(frame.streamId);
      stream.text += frame.chunk.toString();
      stream.ended ||= frame.fin;
    } else if (frame.kind === "synReply") {
      this.#headersIn.read(frame.headerBlock);
      this.stream(frame.streamId).replied = true;
    } else if (frame.kind === "rstStream") this.stream(frame.streamId).reset = true;
  }
}

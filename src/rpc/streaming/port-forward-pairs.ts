import type { SpdyHeaders } from "./spdy-headers.ts";

/** What a stream of a port-forward connection says of itself. */
export interface ForwardStream {
  readonly id: number;
  readonly headers: SpdyHeaders;
}

export interface StreamPair<Stream> {
  readonly port: number;
  readonly data: Stream;
  readonly error: Stream;
}

export type PairStep<Stream> =
  | { readonly kind: "refuse"; readonly reason: string }
  | { readonly kind: "wait"; readonly requestId: string }
  | { readonly kind: "complete"; readonly requestId: string; readonly pair: StreamPair<Stream> };

interface Half<Stream> {
  readonly data?: Stream;
  readonly error?: Stream;
}

/** Each forwarded connection has two streams, which find each other by their `requestid`. */
export class PortForwardPairs<Stream extends ForwardStream> {
  readonly #halves = new Map<string, Half<Stream>>();

  add(stream: Stream): PairStep<Stream> {
    const { streamtype: type, port: portText = "" } = stream.headers;
    const port = parsePort(portText);
    if (type !== "data" && type !== "error") {
      return { kind: "refuse", reason: `Invalid streamType ${JSON.stringify(type ?? "")}: must be "data" or "error"` };
    }
    if (port === undefined) {
      return { kind: "refuse", reason: `Invalid port ${JSON.stringify(portText)}: must be from 1 to 65535` };
    }
    const requestId = requestIdOf(stream, type);
    const half = this.#halves.get(requestId) ?? {};
    if (half[type] !== undefined) {
      return { kind: "refuse", reason: `Request ${JSON.stringify(requestId)} has two ${type} streams` };
    }
    const both = { ...half, [type]: stream };
    if (both.data === undefined || both.error === undefined) {
      this.#halves.set(requestId, both);
      return { kind: "wait", requestId };
    }
    this.#halves.delete(requestId);
    return { kind: "complete", requestId, pair: { port, data: both.data, error: both.error } };
  }

  /** Gives up on a request whose other stream didn't come. @returns the stream that did */
  abandon(requestId: string): Half<Stream> {
    const half = this.#halves.get(requestId) ?? {};
    this.#halves.delete(requestId);
    return half;
  }
}

/** Clients from before requestID open the error stream and then the data stream, whose id is then two higher. */
function requestIdOf({ id, headers }: ForwardStream, type: "data" | "error"): string {
  return headers["requestid"] || String(type === "error" ? id : id - 2);
}

function parsePort(text: string): number | undefined {
  const port = /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

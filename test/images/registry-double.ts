import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Image } from "../support/oci-image.ts";

/** What a request is for. */
export type RequestKind = "ping" | "manifest" | "config" | "layer" | "token" | "other";

export interface Content {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface DoubleRequest {
  readonly kind: RequestKind;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  /** The content asked for; undefined for what the double does not hold. */
  readonly content: Content | undefined;
  /** How many requests of this kind there have been since {@link RegistryDouble.behave}, this one included. */
  readonly count: number;
}

/** One request and what can be done with it. */
export interface Exchange {
  readonly request: DoubleRequest;
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** Answers as a good registry does, ranges included; `headers` are laid over the good ones. */
  readonly honest: (headers?: Readonly<Record<string, string>>) => void;
  /** Serves this content as a good registry would, whatever was asked for. */
  readonly serve: (content: Content, headers?: Readonly<Record<string, string>>) => void;
  /** Writes these bytes to the connection instead of an answer, and ends it unless told otherwise. */
  readonly raw: (bytes: string | Uint8Array, options?: { readonly keepOpen?: boolean }) => void;
}

/** Answers a request, or leaves it without an answer. */
export type Behaviour = (exchange: Exchange) => void;

export interface DoubleOptions {
  readonly image: Image;
  /** Name and password that the token server and Basic authentication accept. */
  readonly login: { readonly username: string; readonly password: string };
  /** Address to listen on. Default 127.0.0.1. */
  readonly address?: string;
  readonly tls?: ServerOptions;
}

/** A registry of one image for tests: honest until told how to misbehave. Every repository and tag is that image. */
export class RegistryDouble implements AsyncDisposable {
  readonly requests: DoubleRequest[] = [];
  /** Called for each new connection before a byte of it is read. */
  onConnection: ((socket: Socket) => void) | undefined;
  /** What the token server gives, and what Bearer authentication accepts. */
  readonly token = `tok-${randomBytes(12).toString("hex")}`;
  readonly #options: DoubleOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #image: Image;
  #contents: ReadonlyMap<string, Content> = new Map();
  #behaviour: Behaviour = ({ honest }) => honest();

  private constructor(options: DoubleOptions) {
    this.#options = options;
    this.#image = options.image;
    this.hold(options.image);
    const listener: RequestListener = (incoming, response) => void this.#take(incoming, response);
    const limits = { maxHeaderSize: 64 * 1024 };
    this.#server =
      options.tls === undefined
        ? createServer(limits, listener)
        : (createTlsServer({ ...limits, ...options.tls }, listener) as Server);
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket)).on("error", () => undefined);
      this.onConnection?.(socket);
    });
    this.#server
      .on("tlsClientError", () => undefined)
      .on("clientError", (_error, socket) => {
        if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\n\r\n");
      });
  }

  static async start(options: DoubleOptions): Promise<RegistryDouble> {
    const double = new RegistryDouble(options);
    await new Promise<void>((resolve) => double.#server.listen(0, options.address ?? "127.0.0.1", resolve));
    return double;
  }

  /** "address:port" */
  get host(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${address}:${port}`;
  }

  get url(): string {
    return `${this.#options.tls === undefined ? "http" : "https"}://${this.host}`;
  }

  /** Starts a case: forgets what was seen, and answers like this from now on. Without a behaviour: honestly. */
  behave(behaviour: Behaviour = ({ honest }) => honest()): void {
    this.requests.length = 0;
    this.onConnection = undefined;
    this.#behaviour = behaviour;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Holds another image from now on, and that alone. */
  hold(image: Image): void {
    const { layers, config, manifest } = image;
    this.#image = image;
    this.#contents = new Map([...layers, config, manifest].map((blob) => [blob.digest, blob]));
  }

  /** Whether a request brings what {@link DoubleOptions.login} or the token server gave. */
  admits({ headers }: DoubleRequest): boolean {
    return headers.authorization === `Bearer ${this.token}` || headers.authorization === this.basic;
  }

  /** The Authorization header of the right name and password. */
  get basic(): string {
    const { username, password } = this.#options.login;
    return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #take(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    try {
      for await (const chunk of incoming) body += String(chunk);
    } catch {
      return;
    }
    response.on("error", () => undefined);
    const request = this.#describe(incoming, body);
    this.requests.push(request);
    const { socket } = incoming;
    this.#behaviour({
      request,
      response,
      socket,
      honest: (headers) => this.#honest(request, response, headers),
      serve: (content, headers) => answer(request, response, content, headers),
      raw: (bytes, { keepOpen = false } = {}) => {
        response.on("close", () => undefined);
        socket.write(bytes, () => {
          if (!keepOpen) socket.destroySoon();
        });
      },
    });
  }

  #describe(incoming: IncomingMessage, body: string): DoubleRequest {
    const path = incoming.url ?? "";
    const [, section = "", name = ""] = /^\/v2\/.+\/(manifests|blobs)\/([^/?]+)/.exec(path) ?? [];
    const { manifest, config } = this.#image;
    const content = this.#contents.get(section === "manifests" && !name.includes(":") ? manifest.digest : name);
    const kind: RequestKind = path.startsWith("/token")
      ? "token"
      : section === "manifests"
        ? "manifest"
        : section === "blobs"
          ? name === config.digest
            ? "config"
            : "layer"
          : /^\/v2\/?$/.test(path)
            ? "ping"
            : "other";
    const count = this.requests.filter((request) => request.kind === kind).length + 1;
    return { kind, method: incoming.method ?? "", path, headers: incoming.headers, body, content, count };
  }

  #honest(request: DoubleRequest, response: ServerResponse, extra: Readonly<Record<string, string>> = {}): void {
    const { kind, content, headers } = request;
    if (kind === "token") {
      const wanted = headers.authorization === undefined || headers.authorization === this.basic;
      response.writeHead(wanted ? 200 : 401, { "content-type": "application/json", ...extra });
      response.end(wanted ? JSON.stringify({ token: this.token, expires_in: 300 }) : "{}");
      return;
    }
    if (content === undefined) {
      response.writeHead(kind === "ping" ? 200 : 404, extra).end("{}");
      return;
    }
    answer(request, response, content, extra);
  }
}

function answer(
  { headers, method }: DoubleRequest,
  response: ServerResponse,
  { mediaType, bytes }: Content,
  extra: Readonly<Record<string, string>> = {},
): void {
  const range = /^bytes=(\d+)-(\d+)$/.exec(String(headers.range ?? ""));
  const start = range === null ? 0 : Number(range[1]);
  const end = range === null ? bytes.length : Math.min(Number(range[2]) + 1, bytes.length);
  response.writeHead(range === null ? 200 : 206, {
    "content-type": mediaType,
    "content-length": end - start,
    ...(range !== null && { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` }),
    ...extra,
  });
  response.end(method === "HEAD" ? undefined : bytes.subarray(start, end));
}

/** Answers requests of one kind in a way of their own, and all others honestly. */
export function onlyFor(kind: RequestKind, behaviour: Behaviour): Behaviour {
  return (exchange) => (exchange.request.kind === kind ? behaviour(exchange) : exchange.honest());
}

/** The first so many requests of a kind in a way of their own; from then on honestly. */
export function firstOf(kind: RequestKind, count: number, behaviour: Behaviour): Behaviour {
  return onlyFor(kind, (exchange) => (exchange.request.count <= count ? behaviour(exchange) : exchange.honest()));
}

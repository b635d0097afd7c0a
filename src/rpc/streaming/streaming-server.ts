import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { networkInterfaces } from "node:os";
import type { Duplex } from "node:stream";
import { AgentError, errorText } from "../../common/errors.ts";
import type { Log } from "../../common/log.ts";
import { planUpgrade, type StreamKind } from "./plan-upgrade.ts";
import { type AcceptedPlan, type StreamBackend, serveStream, type UpgradingConnection } from "./serve-stream.ts";
import type { StreamRequest } from "./stream-request.ts";
import { isHostAllowed, planStreamingAddress, type StreamingAddress } from "./streaming-address.ts";
import { TokenStore } from "./token-store.ts";

export interface StreamingServerOptions {
  /** "host:port"; port 0 is any free one. */
  readonly address: string;
  /** PEM texts; without them the server speaks plain HTTP, which only a loopback address may. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly backend: StreamBackend;
  readonly log: Log;
  /** 60,000 unless told. */
  readonly tokenLifetimeMs?: number;
  /** 1,000 unless told. */
  readonly mostTokens?: number;
}

const usualTokenLifetimeMs = 60_000;
const usualMostTokens = 1_000;
/** 192 bits, in base64url. */
const tokenBytes = 24;
/** A connection on which nothing moves for so long is closed, as containerd does. */
const idleTimeoutMs = 4 * 60 * 60 * 1000;
const headersTimeoutMs = 10_000;
const keepAliveMs = 30_000;
const mostConnections = 4_000;

/**
 * The HTTP server behind the URLs that Exec, Attach and PortForward answer. A URL holds a secret that works once and
 * for one minute; whoever knows it may do what it was made for, and nothing else.
 */
export class StreamingServer {
  readonly #options: StreamingServerOptions;
  readonly #address: StreamingAddress;
  readonly #tokens: TokenStore<StreamRequest>;
  readonly #server: Server;
  readonly #stop = new AbortController();
  readonly #sessions = new Set<Promise<void>>();
  readonly #sockets = new Set<Duplex>();
  #baseUrl = "";

  /** @throws AgentError FailedPrecondition when certificate or key are none, or don't belong together */
  constructor(options: StreamingServerOptions) {
    this.#options = options;
    this.#address = planStreamingAddress(options.address, networkInterfaces());
    this.#tokens = new TokenStore({
      lifetimeMs: options.tokenLifetimeMs ?? usualTokenLifetimeMs,
      mostTokens: options.mostTokens ?? usualMostTokens,
      newToken: () => randomBytes(tokenBytes).toString("base64url"),
    });
    this.#server = createHttpServer(options.tls);
    this.#server.maxConnections = mostConnections;
    this.#server.on("request", (request, response) => this.#answer(request, response));
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade({ request, socket, head }));
  }

  /** @throws AgentError FailedPrecondition when the address can't be had */
  async listen(): Promise<void> {
    const { bindHost, port, urlHost } = this.#address;
    try {
      this.#server.listen({ port, ...(bindHost === undefined ? {} : { host: bindHost }) });
      await once(this.#server, "listening");
    } catch (cause) {
      throw new AgentError("FailedPrecondition", `Can't serve streams on "${this.#options.address}"`, { cause });
    }
    const bound = this.#server.address();
    const boundPort = typeof bound === "object" && bound !== null ? bound.port : port;
    this.#baseUrl = `${this.#options.tls === undefined ? "http" : "https"}://${urlHost}:${boundPort}`;
  }

  /** Where it listens, without any path. */
  get baseUrl(): string {
    return this.#baseUrl;
  }

  /** @returns an absolute URL that serves the request once @throws AgentError ResourceExhausted */
  url(request: StreamRequest): string {
    return `${this.#baseUrl}/${request.kind}/${this.#tokens.issue(request, performance.now())}`;
  }

  /**
   * Takes no new clients, tells those that are there that the agent ends, and cuts what is still there after the time.
   * Resolves when every session has ended.
   */
  async close(graceMs: number): Promise<void> {
    this.#server.close();
    this.#stop.abort(new AgentError("Unavailable", "The agent is being stopped"));
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, graceMs);
    await Promise.all(this.#sessions);
    clearTimeout(cut);
    this.#server.closeAllConnections();
  }

  /** A request without an upgrade; it uses its token up like every first one. */
  #answer(request: IncomingMessage, response: ServerResponse): void {
    const found = this.#claim(request);
    const { status, message } = "status" in found ? found : noUpgrade;
    response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
    response.end(`${message}\n`);
    request.resume();
  }

  #upgrade(connection: UpgradingConnection): void {
    const { request, socket } = connection;
    socket.on("error", () => socket.destroy());
    const admitted = this.#admit(request);
    if ("status" in admitted) {
      refuse(socket, admitted);
      return;
    }
    request.socket.setNoDelay(true);
    request.socket.setKeepAlive(true, keepAliveMs);
    request.socket.setTimeout(idleTimeoutMs, () => socket.destroy());
    this.#track(connection, this.#serve(connection, admitted.plan, admitted.request));
  }

  #admit(request: IncomingMessage): { readonly plan: AcceptedPlan; readonly request: StreamRequest } | Refusal {
    const found = this.#claim(request);
    if ("status" in found) return found;
    const plan = planUpgrade(found.kind, request.headers);
    if (plan.kind === "refuse") return plan;
    if (found.kind === "portforward" && plan.kind === "channels" && found.ports.length === 0) {
      return { status: 400, message: "This protocol needs the ports to be named in the PortForward call" };
    }
    return { plan, request: found };
  }

  async #serve(connection: UpgradingConnection, plan: AcceptedPlan, request: StreamRequest): Promise<void> {
    const { backend } = this.#options;
    const startedAt = performance.now();
    const ids =
      request.kind === "portforward" ? { sandboxId: request.sandboxId } : { containerId: request.containerId };
    const protocol = typeof plan.protocol === "string" ? plan.protocol : plan.protocol.name;
    const log = this.#options.log.child({ stream: request.kind, ...ids, transport: plan.kind, protocol });
    try {
      const outcome = await serveStream(connection, plan, request, backend, this.#stop.signal);
      const durationMs = Math.round(performance.now() - startedAt);
      log.info({ durationMs, ...(outcome === undefined ? {} : { outcome }) }, "stream ended");
    } catch (error) {
      log.warn({ error: errorText(error) }, "stream failed");
      connection.socket.destroy();
    }
  }

  #track({ socket }: UpgradingConnection, session: Promise<void>): void {
    this.#sockets.add(socket);
    this.#sessions.add(session);
    socket.once("close", () => this.#sockets.delete(socket));
    void session.then(() => this.#sessions.delete(session));
  }

  /** Whose token it is, and it is of no more use then. */
  #claim(request: IncomingMessage): StreamRequest | Refusal {
    if (!isHostAllowed(this.#address, request.headers.host)) {
      return { status: 403, message: "The Host header must name a loopback address, as this server's is one" };
    }
    if (request.method !== "GET" && request.method !== "POST") {
      return { status: 405, message: "The method must be GET or POST" };
    }
    const match = /^\/(exec|attach|portforward)\/([A-Za-z0-9_-]+)$/.exec(request.url ?? "");
    const found = this.#tokens.consume(match?.[2] ?? "", performance.now());
    const kind = match?.[1] as StreamKind | undefined;
    if (found !== undefined && found.kind === kind) return found;
    return { status: 404, message: "This address was never valid, was used already, or has expired" };
  }
}

function createHttpServer(tls: StreamingServerOptions["tls"]): Server {
  const limits = { headersTimeout: headersTimeoutMs, requestTimeout: headersTimeoutMs, keepAliveTimeout: 1_000 };
  if (tls === undefined) return createServer(limits);
  try {
    return createSecureServer({ ...limits, ...tls, minVersion: "TLSv1.2" });
  } catch (cause) {
    throw new AgentError("FailedPrecondition", "Can't serve streams with streaming.cert and streaming.key", { cause });
  }
}

interface Refusal {
  readonly status: keyof typeof statusTexts;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const statusTexts = { 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed" } as const;
const noUpgrade: Refusal = { status: 400, message: "This address only serves SPDY/3.1 and WebSocket upgrades" };

function refuse(socket: Duplex, { status, message, headers = {} }: Refusal): void {
  const body = `${message}\n`;
  const all = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(body)),
    Connection: "close",
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${statusTexts[status]}\r\n${lines.join("")}\r\n${body}`);
}

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { AgentError, errnoOf, errorText } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { renderFamilies, type TextFamily, textContentType } from "./prometheus-text.ts";

/** One thing that has to be in order. */
export interface HealthCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What is wrong, for people. */
  readonly message: string;
}

export interface HealthServerDeps {
  /** How the agent is. */
  readonly agentMetrics: () => readonly TextFamily[];
  /** What pods take. */
  readonly podMetrics: () => Promise<readonly TextFamily[]>;
  /** What has to be in order before callers send work. */
  readonly readiness: () => readonly HealthCheck[];
  readonly log: Log;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Route = () => Answer | Promise<Answer>;

const maxConnections = 64;
const requestTimeoutMs = 10_000;
const plainText = "text/plain; charset=utf-8";

/**
 * Serves /metrics, /metrics/pods, /livez and /readyz over HTTP. Nothing here is secret and nothing can be changed; whoever
 * reaches the address may read.
 */
export class HealthServer implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /**
   * @param address "host:port"; port 0: any free one
   * @throws AgentError FailedPrecondition naming the setting when it can't listen there
   */
  static async listen(address: string, deps: HealthServerDeps): Promise<HealthServer> {
    const routes = routesOf(deps);
    const server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
      (request, response) => {
        void answer(routes, request, response, deps.log);
      },
    );
    server.maxConnections = maxConnections;
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
    try {
      server.listen({ port: Number(address.slice(colon + 1)), ...(host === "" ? {} : { host }) });
      await once(server, "listening");
    } catch (cause) {
      const why =
        errnoOf(cause) === "EADDRINUSE" ? "another process listens there" : (errnoOf(cause) ?? errorText(cause));
      throw new AgentError("FailedPrecondition", `Can't serve metrics.address "${address}": ${why}`, { cause });
    }
    server.on("error", (error) => deps.log.warn({ error: errorText(error) }, "metrics server failed"));
    return new HealthServer(server);
  }

  /** Where it listens, as "host:port". */
  get address(): string {
    const { address, family, port } = this.#server.address() as AddressInfo;
    return family === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    this.#server.closeAllConnections();
    await promise;
  }
}

function routesOf({ agentMetrics, podMetrics, readiness }: HealthServerDeps): ReadonlyMap<string, Route> {
  const metrics = (families: readonly TextFamily[]): Answer => ({
    status: 200,
    type: textContentType,
    body: renderFamilies(families),
  });
  return new Map<string, Route>([
    ["/metrics", () => metrics(agentMetrics())],
    ["/metrics/pods", async () => metrics(await podMetrics())],
    // An event loop that turns is all that it says; a loop that doesn't gives no answer.
    ["/livez", () => ({ status: 200, type: plainText, body: "ok\n" })],
    ["/readyz", () => renderChecks(readiness())],
    ["/", () => ({ status: 200, type: plainText, body: "/metrics\n/metrics/pods\n/livez\n/readyz\n" })],
  ]);
}

/** As the components of Kubernetes answer: a line for each check, and the status says whether all hold. */
function renderChecks(checks: readonly HealthCheck[]): Answer {
  const ok = checks.every((check) => check.ok);
  const lines = checks.map(({ name, ok: holds, message }) =>
    holds ? `[+]${name} ok` : `[-]${name} failed: ${message}`,
  );
  return { status: ok ? 200 : 503, type: plainText, body: `${[...lines, ok ? "ok" : "not ready"].join("\n")}\n` };
}

async function answer(
  routes: ReadonlyMap<string, Route>,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  const { status, type, body } = await carryOut(routes, request, log);
  // Clients may have gone meanwhile; then there is nobody to tell.
  response.on("error", () => undefined);
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    ...(status === 405 ? { allow: "GET, HEAD" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : body);
}

async function carryOut(routes: ReadonlyMap<string, Route>, request: IncomingMessage, log: Log): Promise<Answer> {
  const path = (request.url ?? "").split("?")[0] ?? "";
  const route = routes.get(path);
  if (route === undefined) return { status: 404, type: plainText, body: "not found\n" };
  if (request.method !== "GET" && request.method !== "HEAD") {
    return { status: 405, type: plainText, body: "only GET and HEAD\n" };
  }
  try {
    return await route();
  } catch (error) {
    log.warn({ path, error: errorText(error) }, "metrics can't be told");
    return { status: 503, type: plainText, body: `${errorText(error)}\n` };
  }
}

import { isIP } from "node:net";
import type { Readable } from "node:stream";
import { AgentError, errnoOf } from "../common/errors.ts";
import { type AddressRule, bareHost, blockedAddressError, isBlockedAddress, isLoopbackHost } from "./address-guard.ts";
import type { TransferLimits, TransportSettings } from "./blob-source.ts";
import type { ConnectionPool } from "./connection-pool.ts";

const maxRedirects = 5;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** One request to a registry, its token server, or where either sends us. */
export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST";
  readonly url: string;
  /** Headers that may go to any host, such as Accept and Range. */
  readonly headers: Readonly<Record<string, string>>;
  /** Headers for the origin of `url` alone; dropped for good by the first redirect to another origin. */
  readonly privateHeaders: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly transport: TransportSettings;
  readonly limits: TransferLimits;
  readonly followRedirects: boolean;
  readonly addressRule?: AddressRule;
  readonly signal: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  /** Consume it or destroy it: the connection is held until then. */
  readonly body: Readable;
  /** Where the answer came from after redirects. */
  readonly url: URL;
  /** Whether another URL than the asked one answered. */
  readonly redirected: boolean;
  /** A header's values, joined by commas when there are several (RFC 9110 section 5.3); the name is in lower case. */
  header(name: string): string | undefined;
}

/**
 * Sends a request and follows redirects by the rules of the distribution spec: at most 5, never from https to http, no
 * credentials or client certificate to another origin, no address a registry must not aim us at.
 * @throws AgentError RegistryUnavailable for connection failures, PermissionDenied for a refused redirect or address, or the
 *   signal's reason. A status of 400 and more is an answer, not an error.
 */
export async function sendRequest(pool: ConnectionPool, request: HttpRequest): Promise<HttpResponse> {
  const start = new URL(request.url);
  let url = start;
  let crossed = false;
  for (let hop = 0; ; hop++) {
    const rule = ruleFor(url, start, request.addressRule ?? "registry");
    const response = await sendOnce(pool, request, url, crossed, rule);
    const location = response.headers["location"];
    const follow = request.followRedirects && redirectStatuses.has(response.statusCode) && location !== undefined;
    if (!follow) return toResponse(response, url, hop > 0);
    // A short body is read to its end, so that the connection can serve the next request.
    response.body.dump({ limit: 16 * 1024 }).catch(() => undefined);
    if (hop === maxRedirects) {
      throw new AgentError("RegistryUnavailable", `${printableUrl(start)} redirects more than ${maxRedirects} times`);
    }
    const next = redirectTarget(url, String(location));
    crossed ||= next.origin !== start.origin;
    url = next;
  }
}

/** A URL as errors and logs may show it: without credentials, query and fragment, where signed URLs keep their secrets. */
export function printableUrl(url: URL | string): string {
  const parsed = typeof url === "string" ? URL.parse(url) : url;
  return parsed === null ? '"(not a URL)"' : `"${parsed.origin}${parsed.pathname}"`;
}

async function sendOnce(
  pool: ConnectionPool,
  request: HttpRequest,
  url: URL,
  crossed: boolean,
  rule: AddressRule,
): Promise<UndiciResponse> {
  const host = bareHost(url.hostname);
  if (isIP(host) !== 0 && isBlockedAddress(host, rule)) {
    throw new AgentError("PermissionDenied", `Request to ${printableUrl(url)} refused`, {
      cause: blockedAddressError(host),
    });
  }
  const dispatcher = pool.dispatcher(url.hostname, crossed ? foreign(request.transport) : request.transport, rule);
  try {
    return await dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: request.method,
      headers: {
        "user-agent": "podling",
        "accept-encoding": "identity",
        ...request.headers,
        ...(crossed ? {} : request.privateHeaders),
      },
      body: request.body ?? null,
      signal: request.signal ?? null,
      headersTimeout: request.limits.headersTimeoutMs,
      bodyTimeout: request.limits.stallTimeoutMs,
      highWaterMark: 1024 * 1024,
    });
  } catch (error) {
    throw connectionError(request.method, url, error, request.signal);
  }
}

type UndiciResponse = Awaited<ReturnType<ReturnType<ConnectionPool["dispatcher"]>["request"]>>;

function toResponse(response: UndiciResponse, url: URL, redirected: boolean): HttpResponse {
  return {
    status: response.statusCode,
    body: response.body,
    url,
    redirected,
    header: (name) => {
      const value = response.headers[name];
      return Array.isArray(value) ? value.join(", ") : value;
    },
  };
}

/** The certificates of one host's configuration are no business of another origin; its checks are the usual ones. */
function foreign(transport: TransportSettings): TransportSettings {
  return { ...transport, tls: { ca: transport.tls.ca, client: [], skipVerify: false } };
}

function ruleFor(url: URL, start: URL, rule: AddressRule): AddressRule {
  if (rule === "elsewhere" || url.hostname === start.hostname) return rule;
  return isLoopbackHost(start.hostname) ? "registry" : "elsewhere";
}

function redirectTarget(from: URL, location: string): URL {
  const target = URL.parse(location, from.href);
  const refuse = (why: string) =>
    new AgentError("PermissionDenied", `${printableUrl(from)} redirects to ${printableUrl(location)}: ${why}`);
  if (target === null || !["http:", "https:"].includes(target.protocol))
    throw refuse("only http and https are allowed");
  if (target.username !== "" || target.password !== "") throw refuse("a URL with a user name is not allowed");
  if (from.protocol === "https:" && target.protocol !== "https:") throw refuse("leaving https is not allowed");
  return target;
}

/** What a failed connection or broken answer means, with the URL's secrets left out. */
export function connectionError(what: string, url: URL, error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (errnoOf(error) === "EACCES") {
    return new AgentError("PermissionDenied", `Request to ${printableUrl(url)} refused`, { cause: error });
  }
  return new AgentError("RegistryUnavailable", `${what} ${printableUrl(url)} failed`, { cause: error });
}

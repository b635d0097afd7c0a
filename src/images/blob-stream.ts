import { delay } from "../common/deadline.ts";
import { AgentError, hasCode } from "../common/errors.ts";
import type { BlobEndpoint, BlobSource } from "./blob-source.ts";
import { bodyChunks } from "./body-chunks.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { parseContentRange } from "./content-range.ts";
import { registryError } from "./registry-error.ts";
import { connectionError, type HttpResponse, printableUrl, sendRequest } from "./registry-http.ts";
import { isTransient, retryDelayMs } from "./retry-delay.ts";
import { RateWatch } from "./transfer-rate.ts";

/** Connections of this thread, shared by all its blobs. Idle ones end by themselves and do not keep the thread alive. */
const threadConnections = new ConnectionPool();

/** How far a blob has come and what its tries met. */
interface Transfer {
  readonly source: BlobSource;
  readonly signal: AbortSignal | undefined;
  readonly pool: ConnectionPool;
  receivedBytes: number;
  resumes: number;
}

/**
 * Yields the compressed bytes of a blob, exactly `sizeBytes` of them, in order, as they come from the socket. A lost
 * connection is resumed with a range request from the byte where it broke; a host that fails is followed by the next.
 * The caller hashes the bytes: only the size is checked here.
 * @throws AgentError Unauthenticated when the authorization is not (or no more) accepted: call again with a new token;
 *   NotFound, PermissionDenied, RegistryUnavailable; DataLoss when a host sends another size than promised; the signal's reason
 */
export async function* openBlob(
  source: BlobSource,
  signal?: AbortSignal,
  pool: ConnectionPool = threadConnections,
): AsyncGenerator<Uint8Array, void, undefined> {
  const transfer: Transfer = { source, signal, pool, receivedBytes: 0, resumes: 0 };
  const failures: unknown[] = [];
  for (const endpoint of source.endpoints) {
    try {
      yield* fromEndpoint(transfer, endpoint);
      return;
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      failures.push(error);
    }
  }
  // A token that ran out is curable, so it outranks what the other hosts said.
  throw failures.find((error) => hasCode(error, "Unauthenticated")) ?? failures.at(-1);
}

async function* fromEndpoint(transfer: Transfer, endpoint: BlobEndpoint): AsyncGenerator<Uint8Array, void, undefined> {
  const { source } = transfer;
  let tries = 0;
  let ranges = true;
  while (transfer.receivedBytes < source.sizeBytes || (source.sizeBytes === 0 && tries === 0)) {
    const before = transfer.receivedBytes;
    const outcome: "complete" | Interrupted = yield* oneConnection(transfer, endpoint, ranges);
    if (outcome === "complete") return;
    transfer.resumes++;
    if (outcome.rangeRefused && ranges) {
      // No fault of the connection: from the start it may well do.
      ranges = false;
      continue;
    }
    if (transfer.receivedBytes > before) tries = 0;
    tries++;
    const spent = outcome.final || tries >= source.limits.triesWithoutProgress;
    if (spent || transfer.resumes > source.limits.maxResumes) throw outcome.error;
    await delay(retryDelayMs(source.limits, tries, outcome.retryAfter, Date.now(), Math.random()), transfer.signal);
  }
}

interface Interrupted {
  readonly error: unknown;
  /** Whether another try at this endpoint is pointless. */
  readonly final: boolean;
  readonly rangeRefused: boolean;
  readonly retryAfter: string | undefined;
}

async function* oneConnection(
  transfer: Transfer,
  endpoint: BlobEndpoint,
  ranges: boolean,
): AsyncGenerator<Uint8Array, "complete" | Interrupted, undefined> {
  const { source, signal } = transfer;
  const offset = transfer.receivedBytes;
  let response: HttpResponse;
  try {
    response = await sendRequest(transfer.pool, {
      method: "GET",
      url: endpoint.url,
      // Closed, for some registries answer 416 to an open range. `If-Range` needs no place: the digest names the bytes.
      headers: offset > 0 && ranges ? { range: `bytes=${offset}-${source.sizeBytes - 1}` } : {},
      privateHeaders: endpoint.privateHeaders,
      transport: endpoint.transport,
      limits: source.limits,
      followRedirects: true,
      signal,
    });
  } catch (error) {
    return interrupted(error, { final: hasCode(error, "PermissionDenied") });
  }
  const refusal = await refused(response, source);
  if (refusal !== undefined) return refusal;
  const start = startOfBody(response, source, offset);
  if (typeof start !== "number") {
    response.body.on("error", () => undefined).destroy();
    return start;
  }
  return yield* readBody(transfer, response, start);
}

/** Passes the body on from the first byte not yet received. @param start offset of the body's first byte in the blob */
async function* readBody(
  transfer: Transfer,
  response: HttpResponse,
  start: number,
): AsyncGenerator<Uint8Array, "complete" | Interrupted, undefined> {
  const { source, signal } = transfer;
  let position = start;
  const watch = new RateWatch(source.limits);
  const chunks = bodyChunks(response.body);
  try {
    for (;;) {
      const waitedFromMs = performance.now();
      const next = await chunks.next();
      if (next.done === true) break;
      watch.add(next.value.byteLength, performance.now() - waitedFromMs);
      const skip = Math.min(transfer.receivedBytes - position, next.value.byteLength);
      position += next.value.byteLength;
      if (position > source.sizeBytes) return interrupted(wrongSize(source, response, "more bytes"), { final: true });
      if (skip === next.value.byteLength) continue;
      transfer.receivedBytes = position;
      yield skip > 0 ? next.value.subarray(skip) : next.value;
    }
  } catch (error) {
    // An error of ours is the rate watch's: asking such a host again would only take as long again.
    const final = error instanceof AgentError;
    return interrupted(final ? error : connectionError("Reading", response.url, error, signal), { final });
  } finally {
    await chunks.return();
  }
  if (transfer.receivedBytes === source.sizeBytes) return "complete";
  return interrupted(wrongSize(source, response, `only ${transfer.receivedBytes} bytes`));
}

/** What a status other than 200 and 206 asks for; undefined when the answer is a body. */
async function refused(response: HttpResponse, source: BlobSource): Promise<Interrupted | undefined> {
  if (response.status === 200 || response.status === 206) return undefined;
  const error = await registryError(`Fetching blob "${source.digest}"`, response);
  // A signed URL that ran out is answered by its storage, not by the registry: the registry makes a new one.
  const expiredUrl = response.redirected && [400, 401, 403].includes(response.status);
  const rangeRefused = response.status === 416;
  const final = !expiredUrl && !rangeRefused && !isTransient(response.status);
  return interrupted(expiredUrl ? asUnavailable(error) : error, {
    final,
    rangeRefused,
    retryAfter: response.header("retry-after"),
  });
}

/** Offset in the blob of the body's first byte, or why the body cannot be used. */
function startOfBody(response: HttpResponse, source: BlobSource, offset: number): number | Interrupted {
  const encoding = response.header("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    const message = `${printableUrl(response.url)} sent blob "${source.digest}" with Content-Encoding ${JSON.stringify(encoding.slice(0, 100))}: must be identity`;
    return interrupted(new AgentError("DataLoss", message), { final: true });
  }
  const length = response.header("content-length");
  if (response.status === 200) {
    if (length === undefined || Number(length) === source.sizeBytes) return 0;
    return interrupted(wrongSize(source, response, `${length.slice(0, 20)} bytes`), { final: true });
  }
  const range = parseContentRange(response.header("content-range") ?? "");
  const fits = range !== undefined && range.start === offset && range.end < source.sizeBytes;
  if (fits && (range.total === undefined || range.total === source.sizeBytes)) return offset;
  const message = `${printableUrl(response.url)} answered a range of blob "${source.digest}" with Content-Range ${JSON.stringify(
    (response.header("content-range") ?? "").slice(0, 100),
  )}: must be bytes ${offset}-${source.sizeBytes - 1}/${source.sizeBytes}`;
  return interrupted(new AgentError("DataLoss", message), { rangeRefused: true });
}

function wrongSize(source: BlobSource, response: HttpResponse, got: string): AgentError {
  const message = `${printableUrl(response.url)} sent ${got} of blob "${source.digest}": its descriptor promises ${source.sizeBytes}`;
  return new AgentError("DataLoss", message);
}

function asUnavailable(error: AgentError): AgentError {
  return new AgentError("RegistryUnavailable", "The registry's storage refused a signed URL", { cause: error });
}

function interrupted(error: unknown, more: Partial<Omit<Interrupted, "error">> = {}): Interrupted {
  return { error, final: false, rangeRefused: false, retryAfter: undefined, ...more };
}

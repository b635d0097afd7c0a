import { createHash } from "node:crypto";
import { delay } from "../common/deadline.ts";
import { AgentError, errorText, hasCode } from "../common/errors.ts";
import { type Digest, digestHex, parseDigest } from "../common/ids.ts";
import type { BlobSource, TransferLimits } from "./blob-source.ts";
import { openBlob } from "./blob-stream.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { readBody } from "./limited-body.ts";
import { type Descriptor, maxManifestBytes } from "./manifest.ts";
import { acceptedDocuments } from "./media-types.ts";
import type { ImageReference } from "./reference.ts";
import { repositoryName } from "./reference.ts";
import type { RegistryAuth } from "./registry-auth.ts";
import { chooseLogin, type Login, type RegistryCredentials } from "./registry-credentials.ts";
import { registryError } from "./registry-error.ts";
import type { RegistryHost } from "./registry-host.ts";
import { type HttpResponse, sendRequest } from "./registry-http.ts";
import { isTransient, retryDelayMs } from "./retry-delay.ts";

const documentTimeoutMs = 120_000;

export interface RegistryClientDependencies {
  readonly pool: ConnectionPool;
  readonly auth: RegistryAuth;
  readonly limits: TransferLimits;
  /** The hosts of a registry, in order. */
  readonly hosts: (registry: string) => Promise<readonly RegistryHost[]>;
}

/** A manifest or index as a registry gave it; `digest` is the hash of these bytes, whatever the registry called it. */
export interface FetchedDocument {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly contentType: string | undefined;
}

/** Reads one image's repository through its mirrors and server, as one user, for the time of one pull. */
export class RegistryClient {
  readonly #dependencies: RegistryClientDependencies;
  readonly #reference: ImageReference;
  readonly #hosts: readonly { readonly host: RegistryHost; readonly login: Login }[];
  /** The host that answered last is asked first: what it has resolved, it most likely has. */
  #preferred: RegistryHost | undefined;

  private constructor(
    dependencies: RegistryClientDependencies,
    reference: ImageReference,
    hosts: readonly { readonly host: RegistryHost; readonly login: Login }[],
  ) {
    this.#dependencies = dependencies;
    this.#reference = reference;
    this.#hosts = hosts;
  }

  /** @throws AgentError FailedPrecondition for a malformed hosts.toml, InvalidArgument for malformed credentials */
  static async open(
    dependencies: RegistryClientDependencies,
    reference: ImageReference,
    credentials: RegistryCredentials | undefined,
  ): Promise<RegistryClient> {
    const hosts = await dependencies.hosts(reference.registry);
    const logins = hosts.map((host) => {
      const registry = host.mirrorOf === undefined ? reference.registry : undefined;
      return { host, login: chooseLogin(credentials, new URL(host.baseUrl).host, registry) };
    });
    return new RegistryClient(dependencies, reference, logins);
  }

  /**
   * Fetches the document the reference names.
   * @throws AgentError NotFound, Unauthenticated, PermissionDenied, RegistryUnavailable, or DataLoss when the bytes are not what
   *   the digest says
   */
  resolve(signal: AbortSignal | undefined): Promise<FetchedDocument> {
    const { tag, digest } = this.#reference;
    return this.#fetchDocument(digest ?? tag ?? "latest", digest, undefined, signal);
  }

  /** Fetches a manifest that an index names. @throws as {@link resolve} */
  manifest(descriptor: Descriptor, signal: AbortSignal | undefined): Promise<FetchedDocument> {
    return this.#fetchDocument(descriptor.digest, descriptor.digest, descriptor.sizeBytes, signal);
  }

  /** Reads a small blob into memory and checks its digest. @throws as {@link resolve} */
  async blob(descriptor: Descriptor, maxBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (descriptor.sizeBytes > maxBytes) {
      const message = `Blob "${descriptor.digest}" has ${descriptor.sizeBytes} bytes: at most ${maxBytes} are read of its kind`;
      throw new AgentError("FailedPrecondition", message);
    }
    for (let renewals = 0; ; renewals++) {
      try {
        const parts: Uint8Array[] = [];
        const source = this.blobSource(descriptor);
        for await (const chunk of openBlob(source, documentSignal(signal), this.#dependencies.pool)) parts.push(chunk);
        const bytes = Buffer.concat(parts);
        checkDigest(bytes, descriptor.digest, "Blob");
        return bytes;
      } catch (error) {
        if (!hasCode(error, "Unauthenticated") || renewals > 0) throw outcome(error, signal);
        await this.renew(signal);
      }
    }
  }

  /** Where a worker thread finds a blob, with the authorization known by now. */
  blobSource(descriptor: Pick<Descriptor, "digest" | "sizeBytes">): BlobSource {
    const endpoints = this.#ordered("pull").map(({ host, login }) => {
      const repository = this.#reference.repository;
      const authorization = this.#dependencies.auth.known({ host, repository, login });
      return {
        url: this.#url(host, `blobs/${descriptor.digest}`),
        privateHeaders: { ...host.headers, ...(authorization !== undefined && { authorization }) },
        transport: host.transport,
      };
    });
    if (endpoints.length === 0) throw this.#noHost("pull");
    return { digest: descriptor.digest, sizeBytes: descriptor.sizeBytes, endpoints, limits: this.#dependencies.limits };
  }

  /** Gets new authorizations from every host that asks for one, after a blob was refused. Hosts that fail are left out. */
  async renew(signal: AbortSignal | undefined): Promise<void> {
    const failures: unknown[] = [];
    for (const { host, login } of this.#ordered("pull")) {
      const scope = { host, repository: this.#reference.repository, login };
      this.#dependencies.auth.forget(scope);
      try {
        const response = await this.#send(host, `${host.baseUrl}/`, undefined, {}, documentSignal(signal));
        const challenge = response.header("www-authenticate");
        response.body.on("error", () => undefined).destroy();
        if (response.status === 401) await this.#dependencies.auth.answer(scope, challenge, documentSignal(signal));
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length === this.#hosts.length) throw outcome(failures.at(-1), signal);
  }

  async #fetchDocument(
    name: string,
    digest: Digest | undefined,
    sizeBytes: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<FetchedDocument> {
    const hosts = this.#ordered(digest === undefined ? "resolve" : "pull");
    const failures: Array<{ readonly host: RegistryHost; readonly error: unknown }> = [];
    for (const [index, { host, login }] of hosts.entries()) {
      try {
        // Only the last host gets second chances: until then the next one is the better answer to a busy registry.
        const tries = index === hosts.length - 1 ? this.#dependencies.limits.triesWithoutProgress : 1;
        const document = await this.#fetchFrom(host, login, name, tries, documentSignal(signal));
        if (digest !== undefined) checkDigest(document.bytes, digest, "Manifest");
        if (sizeBytes !== undefined && sizeBytes !== document.bytes.byteLength) {
          const message = `Manifest "${name}" has ${document.bytes.byteLength} bytes: its descriptor promises ${sizeBytes}`;
          throw new AgentError("DataLoss", message);
        }
        this.#preferred = host;
        return { ...document, digest: digest ?? document.digest };
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        failures.push({ host, error: outcome(error, signal) });
      }
    }
    throw this.#summary(name, failures);
  }

  async #fetchFrom(
    host: RegistryHost,
    login: Login,
    name: string,
    tries: number,
    signal: AbortSignal,
  ): Promise<FetchedDocument> {
    const scope = { host, repository: this.#reference.repository, login };
    const { auth, limits } = this.#dependencies;
    let authorization = auth.known(scope);
    let answered = 0;
    for (let failed = 1; ; failed++) {
      const headers = { accept: acceptedDocuments };
      let retryAfter: string | undefined;
      try {
        const response = await this.#send(host, this.#url(host, `manifests/${name}`), authorization, headers, signal);
        if (response.status === 200) return await readDocument(response, signal);
        if (response.status === 401 && answered < 2) {
          // Twice, for the first header may be a token of the cache that has run out.
          answered++;
          failed--;
          auth.forget(scope);
          response.body.on("error", () => undefined).destroy();
          authorization = await auth.answer(scope, response.header("www-authenticate"), signal);
          continue;
        }
        retryAfter = response.header("retry-after");
        const error = await registryError(`Fetching manifest "${name}"`, response);
        if (!isTransient(response.status)) throw new FinalError(error);
        throw error;
      } catch (error) {
        if (error instanceof FinalError) throw error.cause;
        if (failed >= tries || signal.aborted || !hasCode(error, "RegistryUnavailable")) throw error;
        await delay(retryDelayMs(limits, failed, retryAfter, Date.now(), Math.random()), signal);
      }
    }
  }

  #send(
    host: RegistryHost,
    url: string,
    authorization: string | undefined,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    return sendRequest(this.#dependencies.pool, {
      method: "GET",
      url,
      headers,
      privateHeaders: { ...host.headers, ...(authorization !== undefined && { authorization }) },
      transport: host.transport,
      limits: this.#dependencies.limits,
      followRedirects: true,
      signal,
    });
  }

  #ordered(capability: "resolve" | "pull"): readonly { readonly host: RegistryHost; readonly login: Login }[] {
    const able = this.#hosts.filter(({ host }) => host[capability]);
    if (able.length === 0) throw this.#noHost(capability);
    return able.toSorted((a, b) => Number(b.host === this.#preferred) - Number(a.host === this.#preferred));
  }

  #url(host: RegistryHost, path: string): string {
    const query = host.mirrorOf === undefined ? "" : `?ns=${encodeURIComponent(host.mirrorOf)}`;
    return `${host.baseUrl}/${this.#reference.repository}/${path}${query}`;
  }

  #noHost(capability: string): AgentError {
    const message = `No host of registry "${this.#reference.registry}" may ${capability}: hosts.toml allows none`;
    return new AgentError("FailedPrecondition", message);
  }

  /** One error for all hosts, with the last one's code: it is the registry itself. */
  #summary(name: string, failures: readonly { readonly host: RegistryHost; readonly error: unknown }[]): AgentError {
    const last = failures.at(-1)?.error;
    const code = last instanceof AgentError ? last.code : "RegistryUnavailable";
    const each = failures.map(({ error }) => errorText(error)).join("; ");
    const message = `Resolving "${repositoryName(this.#reference)}", ${name}: ${each}`;
    return new AgentError(code, message, { cause: last });
  }
}

/** Marks what another try does not change. */
class FinalError extends Error {
  constructor(cause: AgentError) {
    super(cause.message, { cause });
  }
}

async function readDocument(response: HttpResponse, signal: AbortSignal): Promise<FetchedDocument> {
  const bytes = await readBody(response, maxManifestBytes, "manifest", signal);
  const digest = parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
  return { bytes, digest, contentType: response.header("content-type") };
}

/** @throws AgentError DataLoss */
function checkDigest(bytes: Uint8Array, digest: Digest, what: string): void {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  const actual = createHash(algorithm).update(bytes).digest("hex");
  if (actual === digestHex(digest)) return;
  throw new AgentError(
    "DataLoss",
    `${what} "${digest}" arrived with other content: its digest is "${algorithm}:${actual}"`,
  );
}

/** A small document has to arrive whole within two minutes, however steadily it trickles. */
function documentSignal(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(documentTimeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

/** Tells our own time limit from the caller's. */
function outcome(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason;
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  return timedOut
    ? new AgentError("RegistryUnavailable", "The registry took longer than two minutes", { cause: error })
    : error;
}

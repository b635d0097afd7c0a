import { createHash } from "node:crypto";
import { delay } from "../common/deadline.ts";
import { AgentError, hasCode } from "../common/errors.ts";
import { type Digest, parseDigest } from "../common/ids.ts";
import type { BlobEndpoint, TransferLimits } from "./blob-source.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { readBody } from "./limited-body.ts";
import { maxManifestBytes } from "./manifest.ts";
import { acceptedDocuments } from "./media-types.ts";
import type { AuthScope, RegistryAuth } from "./registry-auth.ts";
import { basicValue, type Login } from "./registry-credentials.ts";
import { registryError } from "./registry-error.ts";
import { type HttpResponse, sendRequest } from "./registry-http.ts";
import { isTransient, retryDelayMs } from "./retry-delay.ts";
import type { SecretWords } from "./secret-words.ts";

/** A manifest or index as a registry gave it; `digest` is the hash of these bytes, whatever the registry called it. */
export interface FetchedDocument {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly contentType: string | undefined;
}

export interface HostClientDependencies {
  readonly pool: ConnectionPool;
  readonly auth: RegistryAuth;
  readonly limits: TransferLimits;
}

type Attempt =
  | { readonly kind: "document"; readonly document: FetchedDocument }
  | {
      readonly kind: "failed";
      readonly error: AgentError;
      readonly again: boolean;
      readonly retryAfter: string | undefined;
    };

/** One repository on one host, as one user. */
export class HostClient {
  readonly scope: AuthScope;
  readonly #dependencies: HostClientDependencies;
  readonly #secrets: SecretWords;

  /** @param secrets gets to know all that is shown to the host */
  constructor(dependencies: HostClientDependencies, scope: AuthScope, secrets: SecretWords) {
    this.#dependencies = dependencies;
    this.scope = scope;
    this.#secrets = secrets;
    for (const value of [...secretsOf(scope.login), ...Object.values(scope.host.headers)]) secrets.add(value);
  }

  /**
   * Fetches a manifest by tag or digest.
   * @param tries how often to ask while the host is busy or unreachable
   */
  async document(name: string, tries: number, signal: AbortSignal): Promise<FetchedDocument> {
    for (let failed = 1; ; failed++) {
      const attempt = await this.#attempt(name, signal);
      if (attempt.kind === "document") return attempt.document;
      if (!attempt.again || failed >= tries) throw attempt.error;
      const { limits } = this.#dependencies;
      await delay(retryDelayMs(limits, failed, attempt.retryAfter, Date.now(), Math.random()), signal);
    }
  }

  /** Gets a new authorization, if the host wants one. */
  async renew(signal: AbortSignal): Promise<void> {
    const { auth } = this.#dependencies;
    auth.forget(this.scope);
    const response = await this.#send(`${this.scope.host.baseUrl}/`, undefined, {}, signal);
    const challenge = response.header("www-authenticate");
    response.body.on("error", () => undefined).destroy();
    if (mayAnswer(response, this.scope.host.baseUrl)) await auth.answer(this.scope, challenge, signal);
  }

  /** Where a worker thread finds a blob, with the authorization known by now. */
  endpoint(digest: Digest): BlobEndpoint {
    return {
      url: this.#url(`blobs/${digest}`),
      privateHeaders: this.#privateHeaders(this.#dependencies.auth.known(this.scope)),
      transport: this.scope.host.transport,
    };
  }

  async #attempt(name: string, signal: AbortSignal): Promise<Attempt> {
    try {
      const response = await this.#authorized(this.#url(`manifests/${name}`), signal);
      if (response.status === 200) return { kind: "document", document: await readDocument(response, signal) };
      const retryAfter = response.header("retry-after");
      const error = await registryError(`Fetching manifest "${name}"`, response);
      return { kind: "failed", error, again: isTransient(response.status), retryAfter };
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentError)) throw error;
      return { kind: "failed", error, again: hasCode(error, "RegistryUnavailable"), retryAfter: undefined };
    }
  }

  /** Asks, and answers challenges: twice, for the first header may be a token of the cache that has run out. */
  async #authorized(url: string, signal: AbortSignal): Promise<HttpResponse> {
    const { auth } = this.#dependencies;
    const headers = { accept: acceptedDocuments };
    let response = await this.#send(url, auth.known(this.scope), headers, signal);
    for (let answers = 0; mayAnswer(response, url) && answers < 2; answers++) {
      const challenge = response.header("www-authenticate");
      response.body.on("error", () => undefined).destroy();
      auth.forget(this.scope);
      response = await this.#send(url, await auth.answer(this.scope, challenge, signal), headers, signal);
    }
    return response;
  }

  #send(
    url: string,
    authorization: string | undefined,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    return sendRequest(this.#dependencies.pool, {
      method: "GET",
      url,
      headers,
      privateHeaders: this.#privateHeaders(authorization),
      transport: this.scope.host.transport,
      limits: this.#dependencies.limits,
      followRedirects: true,
      signal,
    });
  }

  #privateHeaders(authorization: string | undefined): Readonly<Record<string, string>> {
    if (authorization === undefined) return this.scope.host.headers;
    this.#secrets.add(authorization);
    return { ...this.scope.host.headers, authorization };
  }

  #url(path: string): string {
    const { baseUrl, mirrorOf } = this.scope.host;
    const query = mirrorOf === undefined ? "" : `?ns=${encodeURIComponent(mirrorOf)}`;
    return `${baseUrl}/${this.scope.repository}/${path}${query}`;
  }
}

function secretsOf(login: Login): readonly string[] {
  if (login.kind === "anonymous") return [];
  return [login.kind === "password" ? basicValue(login) : login.token];
}

/** Whether an answer asks for authentication, and is the host's own: another that it led to must not ask in its name. */
function mayAnswer(response: HttpResponse, asked: string): boolean {
  return response.status === 401 && response.url.origin === new URL(asked).origin;
}

async function readDocument(response: HttpResponse, signal: AbortSignal): Promise<FetchedDocument> {
  const bytes = await readBody(response, maxManifestBytes, "manifest", signal);
  const digest = parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
  return { bytes, digest, contentType: response.header("content-type") };
}

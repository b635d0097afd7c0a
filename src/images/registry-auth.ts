import { AgentError, hasCode } from "../common/errors.ts";
import { type AuthChallenge, parseAuthChallenges } from "./auth-challenge.ts";
import type { TransferLimits } from "./blob-source.ts";
import type { ConnectionPool } from "./connection-pool.ts";
import { field, parseJsonDocument } from "./json-document.ts";
import { readBody } from "./limited-body.ts";
import { basicValue, credentialsKey, type Login } from "./registry-credentials.ts";
import { registryError } from "./registry-error.ts";
import type { RegistryHost } from "./registry-host.ts";
import { type HttpRequest, sendRequest } from "./registry-http.ts";
import { checkRealm, type TokenRealm } from "./token-realm.ts";

const maxTokenResponseBytes = 64 * 1024;
/** Longer ones would not pass the header limits of usual servers, ours included. */
const maxTokenLength = 16 * 1024;
const maxCachedTokens = 512;

/** Whom to ask for what, and as whom. */
export interface AuthScope {
  readonly host: RegistryHost;
  readonly repository: string;
  readonly login: Login;
}

interface Authorization {
  readonly value: string;
  /** When it must be fetched anew; Infinity for what does not run out. */
  readonly freshUntilMs: number;
}

export interface RegistryAuthDependencies {
  readonly pool: ConnectionPool;
  readonly limits: TransferLimits;
  readonly nowMs: () => number;
}

/** Turns the challenges of registries into Authorization headers; tokens are kept in memory only, while they are fresh. */
export class RegistryAuth {
  readonly #dependencies: RegistryAuthDependencies;
  readonly #cache = new Map<string, Authorization>();

  constructor(dependencies: RegistryAuthDependencies) {
    this.#dependencies = dependencies;
  }

  /** The Authorization header that has worked before, or that needs no challenge; undefined: ask without. */
  known(scope: AuthScope): string | undefined {
    if (scope.login.kind === "registryToken") return `Bearer ${scope.login.token}`;
    const cached = this.#cache.get(keyOf(scope));
    return cached !== undefined && cached.freshUntilMs > this.#dependencies.nowMs() ? cached.value : undefined;
  }

  /** Forgets a header that the registry has refused. */
  forget(scope: AuthScope): void {
    this.#cache.delete(keyOf(scope));
  }

  /**
   * Answers a 401.
   * @param header the WWW-Authenticate header
   * @throws AgentError Unauthenticated when there is nothing (more) to answer with, PermissionDenied for a realm that must not be
   *   asked, RegistryUnavailable when the token server fails
   */
  async answer(scope: AuthScope, header: string | undefined, signal: AbortSignal | undefined): Promise<string> {
    const challenges = parseAuthChallenges(header ?? "");
    const bearer = challenges.find((challenge) => challenge.scheme === "bearer");
    const basic = challenges.find((challenge) => challenge.scheme === "basic");
    if (scope.login.kind === "registryToken") throw refused(scope, "refuses the registry token");
    const authorization =
      bearer !== undefined
        ? await this.#fetchToken(scope, bearer, signal)
        : { value: basicHeader(scope, basic), freshUntilMs: Number.POSITIVE_INFINITY };
    this.#keep(keyOf(scope), authorization);
    return authorization.value;
  }

  async #fetchToken(
    scope: AuthScope,
    challenge: AuthChallenge,
    signal: AbortSignal | undefined,
  ): Promise<Authorization> {
    const realm = checkRealm(challenge.parameters["realm"] ?? "", new URL(scope.host.baseUrl));
    const request = tokenRequest(scope, realm, challenge.parameters["service"]);
    const startedMs = this.#dependencies.nowMs();
    const response = await sendRequest(this.#dependencies.pool, {
      ...request,
      transport: realm.addressRule === "registry" && realm.trusted ? scope.host.transport : tokenTransport(scope.host),
      limits: this.#dependencies.limits,
      followRedirects: false,
      addressRule: realm.addressRule,
      signal,
    });
    if (response.status !== 200) {
      const error = await registryError(`Asking for a token for "${scope.repository}"`, response);
      const refusal = [400, 401, 403, 404].includes(response.status);
      throw refusal ? new AgentError("Unauthenticated", error.message) : error;
    }
    const bytes = await readBody(response, maxTokenResponseBytes, "token response", signal);
    return readToken(bytes, startedMs);
  }

  #keep(key: string, authorization: Authorization): void {
    const now = this.#dependencies.nowMs();
    for (const [other, { freshUntilMs }] of this.#cache) if (freshUntilMs <= now) this.#cache.delete(other);
    const oldest = this.#cache.size >= maxCachedTokens ? this.#cache.keys().next().value : undefined;
    if (oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(key, authorization);
  }
}

type TokenRequest = Pick<HttpRequest, "method" | "url" | "headers" | "privateHeaders" | "body">;

function tokenRequest(scope: AuthScope, realm: TokenRealm, service: string | undefined): TokenRequest {
  const { login, repository } = scope;
  if (login.kind !== "anonymous" && !realm.trusted) {
    const message = `Registry "${hostName(scope)}" names token server "${realm.url.host}" of another domain: credentials are not sent there`;
    throw new AgentError("PermissionDenied", message);
  }
  // Whatever scope the registry asks for, pulling this repository is all we need.
  const wanted = { ...(service !== undefined && { service }), scope: `repository:${repository}:pull` };
  if (login.kind === "identityToken") {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      client_id: "podling",
      ...wanted,
      refresh_token: login.token,
    });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return { method: "POST", url: realm.url.href, headers, privateHeaders: {}, body: form.toString() };
  }
  const url = new URL(realm.url);
  for (const [name, value] of Object.entries(wanted)) url.searchParams.set(name, value);
  const privateHeaders = login.kind === "password" ? { authorization: basicValue(login) } : {};
  return { method: "GET", url: url.href, headers: {}, privateHeaders };
}

/** A token server beside the registry shares its CA, but neither its client certificate nor its lack of checks. */
function tokenTransport(host: RegistryHost): RegistryHost["transport"] {
  return { ...host.transport, tls: { ca: host.transport.tls.ca, client: [], skipVerify: false } };
}

function readToken(bytes: Uint8Array, startedMs: number): Authorization {
  let json: ReturnType<typeof parseJsonDocument>;
  try {
    json = parseJsonDocument(bytes, "token response");
  } catch (error) {
    throw hasCode(error, "FailedPrecondition") ? unusable(error) : error;
  }
  const token = field(json, "token") ?? field(json, "access_token");
  if (typeof token !== "string" || token.length > maxTokenLength || !/^[\x21-\x7e]+$/.test(token)) throw unusable();
  const seconds = field(json, "expires_in");
  const lifeMs = typeof seconds === "number" && seconds > 0 ? seconds * 1000 : 60_000;
  // Clamped: a token that never ends could outlive its user's rights, one that ends at once would be fetched for ever.
  const clampedMs = Math.min(Math.max(lifeMs, 30_000), 3_600_000);
  return { value: `Bearer ${token}`, freshUntilMs: startedMs + clampedMs * 0.8 };
}

function unusable(cause?: unknown): AgentError {
  return new AgentError("RegistryUnavailable", "The token server's answer holds no usable token", { cause });
}

function basicHeader(scope: AuthScope, challenge: AuthChallenge | undefined): string {
  if (challenge === undefined) throw refused(scope, "asks for an authentication other than Basic and Bearer");
  if (scope.login.kind === "anonymous")
    throw refused(scope, "asks for a user name and password: none were given for it");
  if (scope.login.kind !== "password") throw refused(scope, "asks for a user name and password: a token was given");
  return basicValue(scope.login);
}

function refused(scope: AuthScope, why: string): AgentError {
  return new AgentError("Unauthenticated", `Registry "${hostName(scope)}" ${why}`);
}

function hostName(scope: AuthScope): string {
  return new URL(scope.host.baseUrl).host;
}

function keyOf({ host, repository, login }: AuthScope): string {
  return JSON.stringify([host.baseUrl, repository, credentialsKey(login)]);
}

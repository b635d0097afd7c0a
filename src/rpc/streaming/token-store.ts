import { AgentError } from "../../common/errors.ts";

export interface TokenStoreOptions {
  /** How long a token is good for. */
  readonly lifetimeMs: number;
  /** How many may wait to be used. */
  readonly mostTokens: number;
  /** A secret that nobody can guess, of at least 128 bits. */
  readonly newToken: () => string;
}

/** Requests that wait for their client to come, each under a token that works once. */
export class TokenStore<Request> {
  readonly #options: TokenStoreOptions;
  /** In the order of their end. */
  readonly #waiting = new Map<string, { readonly request: Request; readonly endsAtMs: number }>();

  constructor(options: TokenStoreOptions) {
    this.#options = options;
  }

  /** @param nowMs on any clock that never goes back @throws AgentError ResourceExhausted */
  issue(request: Request, nowMs: number): string {
    this.#expire(nowMs);
    const { lifetimeMs, mostTokens, newToken } = this.#options;
    if (this.#waiting.size >= mostTokens) {
      throw new AgentError(
        "ResourceExhausted",
        `${mostTokens} streaming requests wait for their clients already: try again when some were used or have expired`,
      );
    }
    const token = newToken();
    this.#waiting.set(token, { request, endsAtMs: nowMs + lifetimeMs });
    return token;
  }

  /** @returns what the token was issued for, once; undefined when it is unknown, used or expired */
  consume(token: string, nowMs: number): Request | undefined {
    this.#expire(nowMs);
    const found = this.#waiting.get(token);
    this.#waiting.delete(token);
    return found?.request;
  }

  #expire(nowMs: number): void {
    for (const [token, { endsAtMs }] of this.#waiting) {
      if (endsAtMs > nowMs) return;
      this.#waiting.delete(token);
    }
  }
}

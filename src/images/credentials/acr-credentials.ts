import { AgentError } from "../../common/errors.ts";
import type { AcrConfiguration } from "../../manifests/acr-configuration.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";
import type { AcrClient, AcrInstance, AcrToken } from "./acr-client.ts";
import type { CredentialRequest, CredentialSource } from "./credential-source.ts";
import { KeptAnswers } from "./kept-answers.ts";
import { type AcrTarget, planAcr } from "./plan-acr.ts";

/** What gives logins for instances: the cloud's API, or whatever stands in for it. */
export type AcrTokens = Pick<AcrClient, "authorizationToken" | "domains">;

export interface AcrCredentialsDependencies {
  readonly tokens: AcrTokens;
  /** What is in force now. */
  readonly configuration: () => AcrConfiguration | undefined;
  /** Region of this machine; "": unknown. */
  readonly region: string;
  readonly nowMs: () => number;
}

const defaultThresholdMs = 15 * 60_000;
/** Instances get and lose domains rarely. */
const domainsKeptMs = 3_600_000;

/** Logins for Alibaba Cloud's Container Registry by the rules of its credential helper and of ECI's annotations. */
export class AcrCredentials implements CredentialSource {
  readonly name = "Container Registry (acr-configuration, acr-instance-ids)";
  readonly #dependencies: AcrCredentialsDependencies;
  readonly #tokens: KeptAnswers<AcrToken>;
  readonly #domains: KeptAnswers<readonly string[]>;
  readonly #closing = new AbortController();

  constructor(dependencies: AcrCredentialsDependencies) {
    this.#dependencies = dependencies;
    this.#tokens = new KeptAnswers(dependencies.nowMs);
    this.#domains = new KeptAnswers(dependencies.nowMs);
  }

  async find(request: CredentialRequest, signal: AbortSignal): Promise<readonly RegistryCredentials[]> {
    const found: RegistryCredentials[] = [];
    let failure: unknown;
    for (const target of this.#targets(request)) {
      try {
        if (!(await this.#serves(target, request.reference.registry.toLowerCase(), signal))) continue;
        const { username, password } = await this.#token(target, signal);
        found.push({ username, password });
      } catch (error) {
        // One instance that is gone must not hide the one that has the image.
        failure ??= error;
      }
    }
    if (found.length === 0 && failure !== undefined) throw failure;
    return found;
  }

  audience(request: CredentialRequest): string {
    try {
      return this.#targets(request).map(keyOf).join();
    } catch {
      // Its pull will say what is wrong.
      return "none";
    }
  }

  forget(request: CredentialRequest): void {
    for (const target of this.#targets(request)) this.#tokens.forget(keyOf(target));
  }

  /** Ends calls under way. */
  [Symbol.dispose](): void {
    this.#closing.abort(new AgentError("Unavailable", "The agent is shutting down"));
  }

  #targets(request: CredentialRequest): readonly AcrTarget[] {
    return planAcr(request, this.#dependencies.configuration(), this.#dependencies.region);
  }

  async #serves(target: AcrTarget, host: string, signal: AbortSignal): Promise<boolean> {
    if (target.domains !== undefined) return target.domains.includes(host);
    const { tokens, nowMs } = this.#dependencies;
    const domains = await this.#domains.get(
      keyOf(target),
      signal,
      () => tokens.domains(target, this.#closing.signal),
      () => nowMs() + domainsKeptMs,
    );
    return domains.includes(host);
  }

  #token(target: AcrTarget, signal: AbortSignal): Promise<AcrToken> {
    const { tokens, nowMs, configuration } = this.#dependencies;
    return this.#tokens.get(
      keyOf(target),
      signal,
      () => tokens.authorizationToken(target, this.#closing.signal),
      ({ expiresMs }) => {
        const lifeMs = Math.max(0, expiresMs - nowMs());
        // One that lives no longer than the threshold would be fetched for every pull.
        return expiresMs - Math.min(configuration()?.expiringThresholdMs ?? defaultThresholdMs, lifeMs / 2);
      },
    );
  }
}

function keyOf({ regionId, instanceId }: AcrInstance): string {
  return `${regionId}:${instanceId}`;
}

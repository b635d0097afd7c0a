import { AgentError, type ErrorCode, errorText, primaryError } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import type { CredentialRequest, CredentialSource } from "./credentials/credential-source.ts";
import { formatReference } from "./reference.ts";
import { RegistryClient, type RegistryClientDependencies } from "./registry-client.ts";
import { chooseLogin, type RegistryCredentials } from "./registry-credentials.ts";

export interface RegistryAccessDependencies {
  readonly client: RegistryClientDependencies;
  /** In the order in which their credentials are tried. */
  readonly sources: readonly CredentialSource[];
  readonly log: Log;
}

interface Found {
  readonly candidates: readonly RegistryCredentials[];
  /** Why sources that should know could not tell; no secrets. */
  readonly failures: readonly string[];
}

/** Codes with which a registry turns somebody away; many hide what is forbidden behind "not found". */
const refusals: ReadonlySet<ErrorCode> = new Set(["Unauthenticated", "PermissionDenied", "NotFound"]);

/** Opens registries for pulls: as whom the caller says, else as whom this node's sources of credentials say. */
export class RegistryAccess {
  readonly #dependencies: RegistryAccessDependencies;

  constructor(dependencies: RegistryAccessDependencies) {
    this.#dependencies = dependencies;
  }

  /**
   * @param auth the caller's own credentials, which win over all others
   * @throws AgentError as {@link RegistryClient.open}, and the refusal of the last candidate when there were several
   */
  async open(
    request: CredentialRequest,
    auth: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<RegistryClient> {
    const { client } = this.#dependencies;
    const { reference } = request;
    if (auth !== undefined && Object.keys(auth).length > 0) return await RegistryClient.open(client, reference, auth);
    const { candidates, failures } = await this.#find(request, signal);
    // The usual case needs no request of its own: there is no choice to make.
    if (candidates.length < 2 && failures.length === 0)
      return await RegistryClient.open(client, reference, candidates[0]);
    return await this.#firstAccepted(request, candidates, failures, signal);
  }

  /** Asks all at once: one that is slow must not keep the others waiting. */
  async #find(request: CredentialRequest, signal: AbortSignal): Promise<Found> {
    const { sources, log } = this.#dependencies;
    const answers = await Promise.allSettled(sources.map((source) => source.find(request, signal)));
    signal.throwIfAborted();
    const candidates: RegistryCredentials[] = [];
    const failures: string[] = [];
    for (const [index, answer] of answers.entries()) {
      const name = sources[index]?.name ?? "";
      if (answer.status === "rejected") {
        const failure = `${name}: ${errorText(answer.reason)}`;
        failures.push(failure);
        log.warn({ image: formatReference(request.reference), source: name, error: failure }, "credentials not found");
        continue;
      }
      candidates.push(...answer.value.map((found) => ({ ...found, serverAddress: request.reference.registry })));
    }
    return { candidates: candidates.filter(isUsable), failures };
  }

  async #firstAccepted(
    request: CredentialRequest,
    candidates: readonly RegistryCredentials[],
    failures: readonly string[],
    signal: AbortSignal,
  ): Promise<RegistryClient> {
    let refusal: unknown;
    // Without any candidate the image may still be open to all.
    for (const candidate of candidates.length === 0 ? [undefined] : candidates) {
      const client = await RegistryClient.open(this.#dependencies.client, request.reference, candidate);
      try {
        await client.resolve(signal);
        return client;
      } catch (error) {
        refusal = hidden(error, client, failures);
        const code = codeOf(error);
        if (code === undefined || !refusals.has(code)) throw refusal;
      }
    }
    throw refusal;
  }

  /** What tells apart pulls of one image that may get different credentials. */
  audience(request: CredentialRequest): string {
    return this.#dependencies.sources.map((source) => source.audience(request)).join(" ");
  }

  /** A registry has refused what was found: the next pull must not be given it again. */
  forget(request: CredentialRequest): void {
    for (const source of this.#dependencies.sources) {
      try {
        source.forget(request);
      } catch {
        // It found nothing for this image either.
      }
    }
  }
}

/** Whether they say who is pulling; a source's broken entry must not fail pulls that need none. */
function isUsable(candidate: RegistryCredentials): boolean {
  try {
    return chooseLogin({ ...candidate, serverAddress: "" }, "", undefined).kind !== "anonymous";
  } catch {
    return false;
  }
}

function codeOf(error: unknown): ErrorCode | undefined {
  const primary = primaryError(error);
  return primary instanceof AgentError ? primary.code : undefined;
}

/** The error without what the client has shown to the registry, and with why there were no better credentials. */
function hidden(error: unknown, client: RegistryClient, failures: readonly string[]): unknown {
  const code = codeOf(error);
  if (code === undefined) return error;
  const why = failures.length === 0 || !refusals.has(code) ? "" : `; credentials not found: ${failures.join("; ")}`;
  return new AgentError(code, `${client.hide(errorText(error))}${why}`);
}

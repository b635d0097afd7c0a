import { readFileSync } from "node:fs";
import { join } from "node:path";
import { whileAlive } from "../../common/deadline.ts";
import { AgentError } from "../../common/errors.ts";
import { SingleFlight } from "../../common/single-flight.ts";
import { formatReference, type ImageReference } from "../reference.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";
import type { CredentialRequest, CredentialSource } from "./credential-source.ts";
import { matchesImage } from "./image-pattern.ts";
import { type CredentialProvider, parseProviderConfig } from "./provider-config.ts";
import {
  type ProviderResponse,
  parseProviderResponse,
  providedCredentials,
  providerRequest,
} from "./provider-response.ts";
import { runCredentialProgram } from "./run-credential-program.ts";

/** What kubelet gives its plugins. */
const pluginTimeoutMs = 60_000;
const maxCached = 512;

interface Cached {
  readonly response: ProviderResponse;
  readonly freshUntilMs: number;
}

/** One kubelet credential provider plugin, whose answers are kept for as long as it says. */
export class ProviderPlugin implements CredentialSource {
  readonly name: string;
  readonly #provider: CredentialProvider;
  readonly #program: string;
  readonly #monotonicMs: () => number;
  readonly #cache = new Map<string, Cached>();
  readonly #running = new SingleFlight<ProviderResponse>();
  readonly #closing = new AbortController();

  /** @param monotonicMs a clock that nobody can set */
  constructor(provider: CredentialProvider, directory: string, monotonicMs: () => number) {
    this.#provider = provider;
    this.#program = join(directory, provider.name);
    this.#monotonicMs = monotonicMs;
    this.name = `credential provider ${JSON.stringify(provider.name)}`;
  }

  async find({ reference }: CredentialRequest, signal: AbortSignal): Promise<readonly RegistryCredentials[]> {
    if (!this.#provider.matchImages.some((pattern) => matchesImage(pattern, reference))) return [];
    return providedCredentials(this.#known(reference) ?? (await this.#ask(reference, signal)), reference);
  }

  audience(): string {
    return "";
  }

  forget({ reference }: CredentialRequest): void {
    for (const key of keysOf(reference)) this.#cache.delete(key);
  }

  /** Ends programs that run. */
  [Symbol.dispose](): void {
    this.#closing.abort(new AgentError("Unavailable", "The agent is shutting down"));
  }

  #known(reference: ImageReference): ProviderResponse | undefined {
    for (const key of keysOf(reference)) {
      const cached = this.#cache.get(key);
      if (cached !== undefined && cached.freshUntilMs > this.#monotonicMs()) return cached.response;
    }
    return undefined;
  }

  /** Many pods of one image want the same answer at once; it is asked for once, and for none of them alone. */
  async #ask(reference: ImageReference, signal: AbortSignal): Promise<ProviderResponse> {
    const image = formatReference(reference);
    const asked = this.#running.run(image, async () => {
      const response = await this.#run(image);
      this.#keep(reference, response);
      return response;
    });
    return await whileAlive(asked, signal);
  }

  async #run(image: string): Promise<ProviderResponse> {
    const { args, env } = this.#provider;
    const own = Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]));
    const { exitCode, output } = await runCredentialProgram(
      {
        program: this.#program,
        args,
        env: { ...Object.fromEntries(own), ...env },
        input: providerRequest(image),
        timeoutMs: pluginTimeoutMs,
      },
      this.#closing.signal,
    );
    if (exitCode !== 0) {
      throw new AgentError("FailedPrecondition", `The program of ${this.name} failed with exit code ${exitCode}`);
    }
    return parseProviderResponse(output, `answer of ${this.name}`);
  }

  #keep(reference: ImageReference, response: ProviderResponse): void {
    const cacheMs = response.cacheMs ?? this.#provider.defaultCacheMs;
    // That it knows nothing may change any moment.
    if (cacheMs === 0 || response.auth.length === 0) return;
    const now = this.#monotonicMs();
    for (const [key, { freshUntilMs }] of this.#cache) if (freshUntilMs <= now) this.#cache.delete(key);
    const oldest = this.#cache.size >= maxCached ? this.#cache.keys().next().value : undefined;
    if (oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(keyOf(response.cacheKeyType, reference), { response, freshUntilMs: now + cacheMs });
  }
}

/**
 * The plugins of a CredentialProviderConfig, in its order.
 * @throws AgentError FailedPrecondition when the file can't be read, InvalidArgument when it is none
 */
export function openProviderPlugins(path: string, directory: string): readonly ProviderPlugin[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new AgentError("FailedPrecondition", `Can't read registry.credential_providers ${JSON.stringify(path)}`, {
      cause,
    });
  }
  const providers = parseProviderConfig(path, text);
  return providers.map((provider) => new ProviderPlugin(provider, directory, () => performance.now()));
}

function keysOf(reference: ImageReference): readonly string[] {
  return (["Image", "Registry", "Global"] as const).map((type) => keyOf(type, reference));
}

function keyOf(type: ProviderResponse["cacheKeyType"], reference: ImageReference): string {
  if (type === "Global") return type;
  return `${type} ${type === "Registry" ? reference.registry : formatReference(reference)}`;
}

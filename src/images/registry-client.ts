import { createHash } from "node:crypto";
import { AgentError, errorText, hasCode } from "../common/errors.ts";
import { type Digest, digestHex } from "../common/ids.ts";
import type { BlobSource } from "./blob-source.ts";
import { openBlob } from "./blob-stream.ts";
import { type FetchedDocument, HostClient, type HostClientDependencies } from "./host-client.ts";
import type { Descriptor } from "./manifest.ts";
import { type ImageReference, repositoryName } from "./reference.ts";
import { chooseLogin, type RegistryCredentials } from "./registry-credentials.ts";
import type { RegistryHost } from "./registry-host.ts";
import { SecretWords } from "./secret-words.ts";

export interface RegistryClientDependencies extends HostClientDependencies {
  /** The hosts of a registry, in order. */
  readonly hosts: (registry: string) => Promise<readonly RegistryHost[]>;
}

type DocumentCheck = (document: FetchedDocument) => void;

interface WantedDocument {
  /** Tag or digest. */
  readonly name: string;
  readonly digest: Digest | undefined;
  readonly sizeBytes: number | undefined;
  readonly check: DocumentCheck;
}

/** Reads one image's repository through its mirrors and server, as one user, for the time of one pull. */
export class RegistryClient {
  readonly #dependencies: RegistryClientDependencies;
  readonly #reference: ImageReference;
  readonly #hosts: readonly HostClient[];
  readonly #secrets: SecretWords;
  /** The host that answered last is asked first: what it has resolved, it most likely has. */
  #preferred: HostClient | undefined;
  #renewal: Promise<void> | undefined;

  private constructor(
    dependencies: RegistryClientDependencies,
    reference: ImageReference,
    hosts: readonly HostClient[],
    secrets: SecretWords,
  ) {
    this.#dependencies = dependencies;
    this.#reference = reference;
    this.#hosts = hosts;
    this.#secrets = secrets;
  }

  /** @throws AgentError FailedPrecondition for a malformed hosts.toml, InvalidArgument for malformed credentials */
  static async open(
    dependencies: RegistryClientDependencies,
    reference: ImageReference,
    credentials: RegistryCredentials | undefined,
  ): Promise<RegistryClient> {
    const hosts = await dependencies.hosts(reference.registry);
    const secrets = new SecretWords();
    const clients = hosts.map((host) => {
      const registry = host.mirrorOf === undefined ? reference.registry : undefined;
      const login = chooseLogin(credentials, new URL(host.baseUrl).host, registry);
      return new HostClient(dependencies, { host, repository: reference.repository, login }, secrets);
    });
    return new RegistryClient(dependencies, reference, clients, secrets);
  }

  /** A text for errors and events without what this client has shown to its hosts. */
  hide(text: string): string {
    return this.#secrets.hide(text);
  }

  /**
   * Fetches the document the reference names.
   * @param check throws for a document that is none, such as a portal's page: the next host is asked then
   * @throws AgentError NotFound, Unauthenticated, PermissionDenied, RegistryUnavailable, or DataLoss when the bytes are not what
   *   the digest says
   */
  resolve(signal: AbortSignal | undefined, check: DocumentCheck = () => undefined): Promise<FetchedDocument> {
    const { tag, digest } = this.#reference;
    return this.#fetchDocument({ name: digest ?? tag ?? "latest", digest, sizeBytes: undefined, check }, signal);
  }

  /** Fetches a manifest that an index names. @throws as {@link resolve} */
  manifest(descriptor: Descriptor, signal: AbortSignal | undefined): Promise<FetchedDocument> {
    const { digest, sizeBytes } = descriptor;
    return this.#fetchDocument({ name: digest, digest, sizeBytes, check: () => undefined }, signal);
  }

  /** Reads a small blob into memory and checks its digest. @throws as {@link resolve}; FailedPrecondition when it is too large */
  async blob(descriptor: Descriptor, maxBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (descriptor.sizeBytes > maxBytes) {
      const message = `Blob "${descriptor.digest}" has ${descriptor.sizeBytes} bytes: at most ${maxBytes} are read of its kind`;
      throw new AgentError("FailedPrecondition", message);
    }
    let badHosts = 0;
    for (let renewals = 0; ; ) {
      const source = this.blobSource(descriptor);
      const endpoints = source.endpoints.slice(badHosts);
      try {
        const parts: Uint8Array[] = [];
        const from = { ...source, endpoints };
        for await (const chunk of openBlob(from, this.#documentSignal(signal), this.#dependencies.pool))
          parts.push(chunk);
        const bytes = Buffer.concat(parts);
        checkDigest(bytes, descriptor.digest, "Blob");
        return bytes;
      } catch (error) {
        if (hasCode(error, "Unauthenticated") && renewals === 0) {
          renewals++;
          await this.renew(signal);
        } else if (hasCode(error, "DataLoss") && endpoints.length > 1) {
          badHosts++;
        } else throw this.#outcome(error, signal);
      }
    }
  }

  /** Where a worker thread finds a blob, with the authorization known by now. */
  blobSource(descriptor: Pick<Descriptor, "digest" | "sizeBytes">): BlobSource {
    const { digest, sizeBytes } = descriptor;
    const endpoints = this.#ordered("pull").map((client) => client.endpoint(digest));
    return { digest, sizeBytes, endpoints, limits: this.#dependencies.limits };
  }

  /**
   * Gets new authorizations from every host that asks for one, after a blob was refused. All layers that were refused
   * together share one renewal.
   * @param signal the pull's, so the same for all
   * @throws what the last host failed with, when all did
   */
  renew(signal: AbortSignal | undefined): Promise<void> {
    this.#renewal ??= this.#renewAll(signal).finally(() => {
      this.#renewal = undefined;
    });
    return this.#renewal;
  }

  async #renewAll(signal: AbortSignal | undefined): Promise<void> {
    const clients = this.#ordered("pull");
    const failures: unknown[] = [];
    for (const client of clients) {
      try {
        await client.renew(this.#documentSignal(signal));
      } catch (error) {
        failures.push(this.#outcome(error, signal));
      }
    }
    if (failures.length === clients.length) throw failures.at(-1);
  }

  async #fetchDocument(
    { name, digest, sizeBytes, check }: WantedDocument,
    signal: AbortSignal | undefined,
  ): Promise<FetchedDocument> {
    const clients = this.#ordered(digest === undefined ? "resolve" : "pull");
    const failures: unknown[] = [];
    for (const [index, client] of clients.entries()) {
      try {
        // Only the last host gets second chances: until then the next one is the better answer to a busy registry.
        const tries = index === clients.length - 1 ? this.#dependencies.limits.triesWithoutProgress : 1;
        const document = await client.document(name, tries, this.#documentSignal(signal));
        if (digest !== undefined) checkDigest(document.bytes, digest, "Manifest");
        if (sizeBytes !== undefined && sizeBytes !== document.bytes.byteLength) {
          const message = `Manifest "${name}" has ${document.bytes.byteLength} bytes: its descriptor promises ${sizeBytes}`;
          throw new AgentError("DataLoss", message);
        }
        check(document);
        this.#preferred = client;
        return { ...document, digest: digest ?? document.digest };
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        failures.push(this.#outcome(error, signal));
      }
    }
    throw this.#summary(name, failures);
  }

  #ordered(capability: "resolve" | "pull"): readonly HostClient[] {
    const able = this.#hosts.filter(({ scope }) => scope.host[capability]);
    if (able.length === 0) {
      const message = `No host of registry "${this.#reference.registry}" may ${capability}: hosts.toml allows none`;
      throw new AgentError("FailedPrecondition", message);
    }
    return able.toSorted((a, b) => Number(b === this.#preferred) - Number(a === this.#preferred));
  }

  /** A small document has to arrive whole in time, however steadily it trickles. */
  #documentSignal(signal: AbortSignal | undefined): AbortSignal {
    const timeout = AbortSignal.timeout(this.#dependencies.limits.documentTimeoutMs);
    return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  }

  /** Tells our own time limit from the caller's. */
  #outcome(error: unknown, signal: AbortSignal | undefined): unknown {
    if (signal?.aborted === true) return signal.reason;
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    if (!timedOut) return error;
    const seconds = this.#dependencies.limits.documentTimeoutMs / 1000;
    return new AgentError("RegistryUnavailable", `The registry took longer than ${seconds} seconds`, { cause: error });
  }

  /** One error for all hosts, with the last one's code: it is the registry itself. */
  #summary(name: string, failures: readonly unknown[]): AgentError {
    const last = failures.at(-1);
    const code = last instanceof AgentError ? last.code : "RegistryUnavailable";
    const each = failures.map((error) => errorText(error)).join("; ");
    return new AgentError(code, `Resolving "${repositoryName(this.#reference)}", ${name}: ${each}`, { cause: last });
  }
}

/** @throws AgentError DataLoss */
function checkDigest(bytes: Uint8Array, digest: Digest, what: string): void {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  const actual = createHash(algorithm).update(bytes).digest("hex");
  if (actual === digestHex(digest)) return;
  const message = `${what} "${digest}" arrived with other content: its digest is "${algorithm}:${actual}"`;
  throw new AgentError("DataLoss", message);
}

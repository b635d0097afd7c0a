import { open } from "node:fs/promises";
import { AgentError, errnoOf } from "../../common/errors.ts";
import { field, parseJsonDocument } from "../json-document.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";
import type { CredentialRequest, CredentialSource } from "./credential-source.ts";
import { helperOf, parseDockerConfig, writtenCredentials } from "./docker-config.ts";
import { serverUrl } from "./image-pattern.ts";
import { runCredentialProgram } from "./run-credential-program.ts";

const helperTimeoutMs = 15_000;
const maxConfigBytes = 1024 * 1024;
/** What every helper says of a registry it does not know (docker/docker-credential-helpers, error.go). */
const unknownRegistry = "credentials not found in native keychain";
/** The name of a user whose secret is an identity token. */
const tokenUser = "<token>";

/** A docker config.json, read anew for each pull, and the helper programs it names. */
export class DockerCredentials implements CredentialSource {
  readonly name: string;
  readonly #path: string;

  /** @param path of the file; while there is none, there are no credentials */
  constructor(path: string) {
    this.#path = path;
    this.name = `docker config ${JSON.stringify(path)}`;
  }

  async find(request: CredentialRequest, signal: AbortSignal): Promise<readonly RegistryCredentials[]> {
    const bytes = await this.#read();
    if (bytes === undefined) return [];
    const config = parseDockerConfig(bytes, this.name);
    const { reference } = request;
    const helper = helperOf(config, reference);
    const helped = helper === undefined ? undefined : await askHelper(helper, serverUrl(reference), signal);
    return [...(helped === undefined ? [] : [helped]), ...writtenCredentials(config, reference)];
  }

  audience(): string {
    return "";
  }

  forget(): void {
    // Nothing is kept.
  }

  [Symbol.dispose](): void {
    // Helpers end with the pull they were asked for.
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      await using file = await open(this.#path, "r");
      const { size } = await file.stat();
      if (size > maxConfigBytes) {
        throw new AgentError(
          "FailedPrecondition",
          `Invalid ${this.name}: it has ${size} bytes, more than ${maxConfigBytes}`,
        );
      }
      return await file.readFile();
    } catch (cause) {
      if (errnoOf(cause) === "ENOENT") return undefined;
      if (cause instanceof AgentError) throw cause;
      throw new AgentError("FailedPrecondition", `Cannot read ${this.name}`, { cause });
    }
  }
}

/** @returns undefined when the helper does not know the registry */
async function askHelper(name: string, server: string, signal: AbortSignal): Promise<RegistryCredentials | undefined> {
  const program = `docker-credential-${name}`;
  const { exitCode, output } = await runCredentialProgram(
    { program, args: ["get"], env: homeOnly(), input: server, timeoutMs: helperTimeoutMs },
    signal,
  );
  if (exitCode !== 0) {
    if (output.trim() === unknownRegistry) return undefined;
    throw new AgentError("FailedPrecondition", `Credential program "${program}" failed with exit code ${exitCode}`);
  }
  const json = parseJsonDocument(Buffer.from(output), `answer of credential program "${program}"`);
  const [username, secret] = [field(json, "Username"), field(json, "Secret")];
  if (typeof username !== "string" || typeof secret !== "string" || secret === "") {
    throw new AgentError("FailedPrecondition", `Credential program "${program}" answers without Username and Secret`);
  }
  return username === tokenUser ? { identityToken: secret } : { username, password: secret };
}

/** Helpers keep their own files in the home directory; the rest of the agent's environment is no business of theirs. */
function homeOnly(): Readonly<Record<string, string>> {
  return { HOME: process.env["HOME"] ?? "/root" };
}

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./free-port.ts";

/** Name and password the protected registry accepts. */
export const registryUser = "pod-reader";
export const registryPassword = "moss & lichen 7";
/** htpasswd line of the pair above; the registry takes bcrypt only. */
const htpasswd = "pod-reader:$2b$04$1OCSoAjKXypViwqpdvgTluBU4L4FoNP/CBa5nWNPywQg24K/kIQGe";

export interface RegistryOptions {
  /** Existing or new directory for its files; kept when the registry stops. */
  readonly directory: string;
  /** Ask for {@link registryUser} and {@link registryPassword} by Basic authentication. */
  readonly protected?: boolean;
}

/** Debian's docker-registry on a loopback port, over plain HTTP. */
export class Registry implements AsyncDisposable {
  /** "127.0.0.1:PORT" */
  readonly host: string;
  /** Headers a request to it needs. */
  readonly headers: Readonly<Record<string, string>>;
  readonly #directory: string;
  #process: ChildProcess | undefined;

  private constructor(host: string, options: RegistryOptions) {
    this.host = host;
    this.#directory = options.directory;
    const basic = Buffer.from(`${registryUser}:${registryPassword}`).toString("base64");
    this.headers = options.protected ? { authorization: `Basic ${basic}` } : {};
  }

  static async start(options: RegistryOptions): Promise<Registry> {
    const registry = new Registry(`127.0.0.1:${await freePort()}`, options);
    mkdirSync(options.directory, { recursive: true });
    writeFileSync(join(options.directory, "htpasswd"), `${htpasswd}\n`);
    writeFileSync(join(options.directory, "config.yml"), registryConfig(registry.host, options));
    await registry.resume();
    return registry;
  }

  /** Starts it again after {@link suspend}, on the same port. */
  async resume(): Promise<void> {
    const log = createWriteStream(join(this.#directory, "registry.log"), { flags: "a" });
    this.#process = spawn("docker-registry", ["serve", join(this.#directory, "config.yml")], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process.stdout?.pipe(log, { end: false });
    this.#process.stderr?.pipe(log, { end: false });
    await eventually(`the registry on ${this.host}`, async () => {
      if (this.#process?.exitCode !== null)
        throw new Error(`docker-registry ended, see ${this.#directory}/registry.log`);
      const answer = await fetch(`http://${this.host}/v2/`);
      return answer.status === 200 || answer.status === 401;
    });
  }

  /** Ends the process; its files stay. */
  async suspend(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** Cuts a stored blob short, as a damaged disk would: the registry then serves fewer bytes than the manifest says. */
  truncateBlob(digest: string, sizeBytes: number): void {
    truncateSync(this.#blobPath(digest), sizeBytes);
  }

  /** Replaces a stored blob's bytes under its old name: the registry then serves bytes of another digest. */
  replaceBlob(digest: string, bytes: Uint8Array): void {
    writeFileSync(this.#blobPath(digest), bytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.suspend();
  }

  #blobPath(digest: string): string {
    const hex = digest.replace("sha256:", "");
    return join(this.#directory, "storage/docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
  }
}

function registryConfig(host: string, options: RegistryOptions): string {
  const auth = `auth: { htpasswd: { realm: podling-test, path: ${JSON.stringify(join(options.directory, "htpasswd"))} } }`;
  return [
    "version: 0.1",
    "log: { level: warn, accesslog: { disabled: true } }",
    `storage: { filesystem: { rootdirectory: ${JSON.stringify(join(options.directory, "storage"))} }, delete: { enabled: true } }`,
    `http: { addr: "${host}" }`,
    ...(options.protected ? [auth] : []),
    "",
  ].join("\n");
}

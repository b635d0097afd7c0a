import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { AgentError, errnoOf } from "../common/errors.ts";
import { type Digest, digestHex, parseDigest } from "../common/ids.ts";
import { fsyncDirectory, makePrivateDirectory, writeFileDurably } from "../system/files.ts";

const algorithms = ["sha256", "sha512"] as const;

/** Manifests and configurations by digest, as `<directory>/<algorithm>/<hex>`: small files, true to their names. */
export class ContentStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    for (const algorithm of algorithms) makePrivateDirectory(join(directory, algorithm));
  }

  /**
   * Keeps the bytes durably.
   * @throws AgentError DataLoss when they are not what the digest names, ResourceExhausted or SystemFailure when the disk refuses
   */
  put(digest: Digest, bytes: Uint8Array): void {
    if (!isTrue(digest, bytes)) throw new AgentError("DataLoss", `Content "${digest}" has another digest`);
    if (this.read(digest) !== undefined) return;
    try {
      writeFileDurably(this.#path(digest), bytes, 0o600);
    } catch (cause) {
      const full = ["ENOSPC", "EDQUOT"].includes(errnoOf(cause) ?? "");
      throw new AgentError(full ? "ResourceExhausted" : "SystemFailure", `Keeping content "${digest}" failed`, {
        cause,
      });
    }
  }

  /** The bytes; undefined when they are missing, or no longer what they were: such a file is fetched and written anew. */
  read(digest: Digest): Uint8Array | undefined {
    const path = this.#path(digest);
    try {
      const bytes = readFileSync(path);
      return isTrue(digest, bytes) ? bytes : undefined;
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw new AgentError("SystemFailure", `Reading content "${digest}" failed`, { cause: error });
    }
  }

  /** Removes everything but these, unfinished writes included. */
  retain(wanted: ReadonlySet<Digest>): void {
    for (const algorithm of algorithms) {
      const directory = join(this.#directory, algorithm);
      const unwanted = readdirSync(directory).filter((name) => !wanted.has(`${algorithm}:${name}` as Digest));
      for (const name of unwanted) rmSync(join(directory, name), { force: true });
      if (unwanted.length > 0) fsyncDirectory(directory);
    }
  }

  /** Bytes and files of the store. */
  usage(): { readonly bytes: number; readonly inodes: number } {
    const files = algorithms.flatMap((name) =>
      readdirSync(join(this.#directory, name)).map((file) => join(name, file)),
    );
    const present = files.map((file) => join(this.#directory, file)).filter((path) => existsSync(path));
    return { bytes: present.reduce((sum, path) => sum + statSync(path).size, 0), inodes: present.length };
  }

  #path(digest: Digest): string {
    // Parsed again although branded: what becomes a path is checked where it becomes one.
    const checked = parseDigest(digest);
    return join(this.#directory, checked.slice(0, checked.indexOf(":")), digestHex(checked));
  }
}

function isTrue(digest: Digest, bytes: Uint8Array): boolean {
  const algorithm = digest.slice(0, digest.indexOf(":"));
  return createHash(algorithm).update(bytes).digest("hex") === digestHex(digest);
}

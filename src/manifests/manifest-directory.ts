import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, errorText } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { type Manifest, parseManifests } from "./manifest.ts";
import { type NodeManifests, noManifests, readNodeManifests } from "./node-manifests.ts";

/** More than a node needs, and little enough to be read whole. */
const maxFiles = 1000;
const maxFileBytes = 4 * 1024 * 1024;
/** An editor's several steps of one save are read once. */
const settleMs = 100;
/** What no watch tells of: a directory that is made later, a link whose target changes, a network file system. */
const rescanMs = 5_000;

export interface ManifestDirectoryOptions {
  readonly directory: string;
  readonly log: Log;
}

/**
 * The operator's manifests: every `*.yaml`, `*.yml` and `*.json` of one directory, read anew whenever one changes. A
 * change with a fault anywhere is not taken: what held before goes on holding, and the fault is logged and kept.
 */
export class ManifestDirectory implements AsyncDisposable {
  readonly #options: ManifestDirectoryOptions;
  readonly #listeners = new Set<(manifests: NodeManifests) => void>();
  #current: NodeManifests = noManifests;
  #fault: AgentError | undefined;
  /** Names, sizes and times of the files that were read last. */
  #fingerprint = "";
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #scan: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(options: ManifestDirectoryOptions) {
    this.#options = options;
  }

  /** Reads the directory for the first time; an absent one is an empty one, and a fault leaves nothing in force. */
  static async open(options: ManifestDirectoryOptions): Promise<ManifestDirectory> {
    const directory = new ManifestDirectory(options);
    await directory.rescan();
    directory.#scheduleScan(rescanMs);
    return directory;
  }

  /** What is in force. */
  get current(): NodeManifests {
    return this.#current;
  }

  /** Why the files as they are now are not in force; undefined when they are. */
  get fault(): AgentError | undefined {
    return this.#fault;
  }

  /** @param listener told of each change that is taken @returns ends it */
  onChange(listener: (manifests: NodeManifests) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Reads what has changed, after the reading that is under way. Never rejects. */
  rescan(): Promise<void> {
    this.#scan = this.#scan.then(async () => {
      if (this.#closed) return;
      this.#watch();
      try {
        await this.#readChanges();
      } catch (error) {
        this.#refuse(error);
      }
    });
    return this.#scan;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
    this.#listeners.clear();
    await this.#scan;
  }

  async #readChanges(): Promise<void> {
    const { directory, log } = this.#options;
    const files = await listFiles(directory);
    const fingerprint = JSON.stringify(files);
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    const manifests: Manifest[] = [];
    for (const { path } of files) manifests.push(...parseManifests(path, await readFile(path, "utf8")));
    this.#current = readNodeManifests(manifests);
    this.#fault = undefined;
    log.info({ directory, files: files.length, manifests: manifests.length }, "manifests are in force");
    for (const listener of this.#listeners) listener(this.#current);
  }

  #refuse(error: unknown): void {
    const { directory, log } = this.#options;
    // A file that went away while it was read is read again; a fault in one stays until the file changes.
    if (!(error instanceof AgentError)) this.#fingerprint = "";
    this.#fault =
      error instanceof AgentError
        ? error
        : new AgentError("FailedPrecondition", `Cannot read the manifests of ${JSON.stringify(directory)}`, {
            cause: error,
          });
    log.error({ directory, error: errorText(error) }, "manifests are not taken; what held before goes on holding");
  }

  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      const watcher = watch(this.#options.directory, { persistent: false }, () => this.#scheduleScan(settleMs));
      const drop = () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      };
      watcher.on("error", drop);
      this.#watcher = watcher;
    } catch {
      // No directory yet, or no watch to be had: the next scan tries again.
    }
  }

  /** Brings the next scan forward, never back. */
  #scheduleScan(delayMs: number): void {
    const dueAtMs = performance.now() + delayMs;
    if (this.#closed || dueAtMs >= this.#dueAtMs) return;
    clearTimeout(this.#timer);
    this.#dueAtMs = dueAtMs;
    this.#timer = setTimeout(() => {
      this.#dueAtMs = Number.POSITIVE_INFINITY;
      void this.rescan().then(() => this.#scheduleScan(rescanMs));
    }, delayMs);
    this.#timer.unref();
  }
}

interface FileVersion {
  readonly path: string;
  readonly inode: number;
  readonly sizeBytes: number;
  readonly changedAtMs: number;
}

/** The manifest files by name, with what tells one version from another. @throws AgentError FailedPrecondition */
async function listFiles(directory: string): Promise<readonly FileVersion[]> {
  const names = (await namesIn(directory)).filter((name) => /^[^.].*\.(?:ya?ml|json)$/i.test(name)).sort();
  if (names.length > maxFiles) {
    throw new AgentError(
      "FailedPrecondition",
      `Cannot read the manifests of ${JSON.stringify(directory)}: it holds ${names.length} files, at most ${maxFiles} are read`,
    );
  }
  const files: FileVersion[] = [];
  for (const name of names) {
    const path = join(directory, name);
    const found = await stat(path);
    if (!found.isFile()) continue;
    if (found.size > maxFileBytes) {
      throw new AgentError(
        "FailedPrecondition",
        `Cannot read the manifest ${JSON.stringify(path)}: it has ${found.size} bytes, must have at most ${maxFileBytes}`,
      );
    }
    files.push({ path, inode: found.ino, sizeBytes: found.size, changedAtMs: found.mtimeMs });
  }
  return files;
}

async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

import { type FSWatcher, watch } from "node:fs";
import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { AgentError, errnoOf, errorText } from "../../common/errors.ts";
import { type CniPlugin, type NetworkList, parseNetworkList, parsePluginFile } from "./network-list.ts";

const maxFileBytes = 1024 * 1024;
/** An editor's several steps of one save are read once. */
const settleMs = 100;
/** What no watch tells of: a directory that is made later, a link whose target changes, a file beside the network's. */
const rescanMs = 5_000;

/** What a configuration directory says at a moment. */
export type NetworkConf =
  | { readonly kind: "network"; readonly path: string; readonly list: NetworkList }
  /** There is no file in it, or no directory. */
  | { readonly kind: "none" }
  /** The file that counts can't be used. */
  | { readonly kind: "fault"; readonly message: string };

/**
 * A directory of CNI configurations, of which the first by name counts, as with containerd: a fault in it is a fault,
 * and no later file stands in for it, for that may be another network.
 */
export class ConfDirectory implements AsyncDisposable {
  readonly #directory: string;
  readonly #onChange: (conf: NetworkConf) => void;
  #last = "";
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueAtMs = Number.POSITIVE_INFINITY;
  #scan: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(directory: string, onChange: (conf: NetworkConf) => void) {
    this.#directory = directory;
    this.#onChange = onChange;
  }

  /** @param onChange told of what is in force, first before this resolves, then whenever it differs */
  static async open(directory: string, onChange: (conf: NetworkConf) => void): Promise<ConfDirectory> {
    const opened = new ConfDirectory(directory, onChange);
    await opened.#rescan();
    opened.#scheduleScan(rescanMs);
    return opened;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
    await this.#scan;
  }

  /** Never rejects. */
  #rescan(): Promise<void> {
    this.#scan = this.#scan.then(async () => {
      if (this.#closed) return;
      this.#watch();
      const conf = await readNetworkConf(this.#directory);
      const text = JSON.stringify(conf);
      if (text === this.#last || this.#closed) return;
      this.#last = text;
      this.#onChange(conf);
    });
    return this.#scan;
  }

  #watch(): void {
    if (this.#watcher !== undefined) return;
    try {
      const watcher = watch(this.#directory, { persistent: false }, () => this.#scheduleScan(settleMs));
      watcher.on("error", () => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      });
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
      void this.#rescan().then(() => this.#scheduleScan(rescanMs));
    }, delayMs);
    this.#timer.unref();
  }
}

/** What the directory says now. Never rejects. */
export async function readNetworkConf(directory: string): Promise<NetworkConf> {
  try {
    const [name] = await namesIn(directory, [".conflist", ".conf", ".json"]);
    if (name === undefined) return { kind: "none" };
    const path = join(directory, name);
    const list = parseNetworkList(path, await readBounded(path));
    const beside = list.onlyInlinedPlugins ? [] : await readPluginFiles(join(directory, list.name));
    const plugins = [...list.plugins, ...beside];
    if (plugins.length > 0) return { kind: "network", path, list: { ...list, plugins } };
    throw new AgentError(
      "InvalidArgument",
      `Invalid CNI configuration ${JSON.stringify(path)}: plugins must name one at least, there or in the directory "${list.name}" beside it`,
    );
  } catch (error) {
    return { kind: "fault", message: errorText(error) };
  }
}

/** CNI 1.1: plugins may be dropped into a directory with the network's name, and follow those of the list. */
async function readPluginFiles(directory: string): Promise<readonly CniPlugin[]> {
  const names = await namesIn(directory, [".conf"]);
  const paths = names.map((name) => join(directory, name));
  return Promise.all(paths.map(async (path) => parsePluginFile(path, await readBounded(path))));
}

/** Names of an absent directory's files: none. */
async function namesIn(directory: string, endings: readonly string[]): Promise<readonly string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith("."))
      .map(({ name }) => name)
      .filter((name) => endings.some((ending) => name.endsWith(ending)))
      .sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function readBounded(path: string): Promise<string> {
  await using file = await open(path, "r");
  const { size } = await file.stat();
  if (size <= maxFileBytes) return await file.readFile("utf8");
  throw new AgentError(
    "InvalidArgument",
    `Invalid CNI configuration ${JSON.stringify(path)}: it has ${size} bytes, must have at most ${maxFileBytes}`,
  );
}

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { AgentError, type ErrorCode } from "../../src/common/errors.ts";
import { createLog } from "../../src/common/log.ts";
import { defaultLimits } from "../../src/images/blob-source.ts";
import type { ImageConfig } from "../../src/images/image-config.ts";
import type { ImageRecord } from "../../src/images/image-record.ts";
import { Images } from "../../src/images/images.ts";
import type { SnapshotForm } from "../../src/images/snapshot-form.ts";
import { toStatus } from "../../src/rpc/status.ts";
import { Database } from "../../src/state/database.ts";
import { unmount } from "../../src/system/mount.ts";
import { mountOverlay } from "../../src/system/overlay.ts";
import { removeTreeNow } from "../../src/system/remove-tree.ts";
import { RegistryDouble } from "../images/registry-double.ts";
import { type ListedNode, listTree } from "../images/tree-listing.ts";
import { buildImage, buildLayer, type Image } from "../support/oci-image.ts";

/** How an image must end. */
export type ImageVerdict =
  /** Its pull fails with this code, in words that name what is wrong. */
  | { readonly refused: ErrorCode; readonly says: RegExp }
  /** It is pulled, and its containers would see exactly this tree, by path; see {@link shownNode}. */
  | { readonly tree: Readonly<Record<string, string>> }
  /** It is pulled, and this is what it may ask of its containers. */
  | { readonly config: Partial<ImageConfig> };

/** An image that somebody made to do harm. */
export interface HostileImage {
  readonly name: string;
  /** @param canary a directory on the host that holds `file`, `sub/file` and `link` */
  readonly build: (canary: string) => Image | Promise<Image>;
  readonly verdict: ImageVerdict;
}

/** What a layer of the trials may cost, so that bombs go off early. */
export const trialLimits = { tarBytes: 32 * 2 ** 20, entries: 5_000 };

/** Pulls hostile images with one image part, as an agent would over its life, and looks whether the host is as it was. */
export class ImageTrial implements AsyncDisposable {
  readonly canary: string;
  readonly #top: string;
  readonly #images: Images;
  readonly #database: Database;
  readonly #registry: RegistryDouble;
  readonly #good: Image;
  readonly #before: Map<string, ListedNode>;

  private constructor(top: string, registry: RegistryDouble, good: Image, snapshotter: SnapshotForm) {
    this.#top = top;
    this.#registry = registry;
    this.#good = good;
    this.canary = mkdtempSync("/var/tmp/canary-");
    mkdirSync(join(this.canary, "sub"), { mode: 0o700 });
    writeFileSync(join(this.canary, "file"), "untouched", { mode: 0o600 });
    writeFileSync(join(this.canary, "sub/file"), "untouched", { mode: 0o600 });
    symlinkSync("file", join(this.canary, "link"));
    this.#before = listTree(this.canary);
    this.#database = Database.open(join(top, "records.db"));
    this.#images = new Images({
      rootDirectory: top,
      database: this.#database,
      log: createLog("silent"),
      snapshotter,
      registryConfigPath: "",
      parallelLayers: 2,
      durable: false,
      // More than one try: making a bomb can take longer than the double keeps an idle connection.
      limits: { ...defaultLimits, triesWithoutProgress: 3, retryDelayMs: 1 },
      layerLimits: trialLimits,
    });
  }

  static async start(snapshotter: SnapshotForm): Promise<ImageTrial> {
    mkdirSync("/var/tmp/podling-test", { recursive: true });
    const good = buildImage({ layers: [await buildLayer([{ name: "good", body: "good" }])] });
    const registry = await RegistryDouble.start({ image: good, login: { username: "", password: "" } });
    const trial = new ImageTrial(mkdtempSync("/var/tmp/podling-test/hostile-"), registry, good, snapshotter);
    await trial.#images.recover(new Map());
    return trial;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#images[Symbol.asyncDispose]();
    await this.#registry[Symbol.asyncDispose]();
    this.#database[Symbol.dispose]();
    for (const path of [this.#top, this.canary]) removeTreeNow(path);
  }

  /** Pulls the image, holds the outcome against its verdict, removes it, and pulls a good one. */
  async run({ build, verdict }: HostileImage): Promise<void> {
    const reference = `${this.#registry.host}/hostile:1`;
    this.#registry.hold(await build(this.canary));
    try {
      await this.#expectVerdict(await this.#images.pull({ reference }).catch((error: unknown) => error), verdict);
    } finally {
      // Also after a wrong verdict, so that one failure does not make the next.
      await this.#images.remove(reference);
    }
    this.#expectUnharmed();
    this.#registry.hold(this.#good);
    const next = await this.#images.pull({ reference });
    expect(await this.#tree(next)).toEqual({ "": "directory 755", good: 'file 644 "good"' });
    await this.#images.remove(reference);
    this.#expectUnharmed();
  }

  async #expectVerdict(outcome: unknown, verdict: ImageVerdict): Promise<void> {
    if ("refused" in verdict) {
      expect(told(outcome)).toEqual({ code: verdict.refused, text: expect.stringMatching(verdict.says) });
      return;
    }
    if (outcome instanceof Error) throw outcome;
    const record = outcome as ImageRecord;
    if ("tree" in verdict) expect(await this.#tree(record)).toEqual(verdict.tree);
    else expect(record.config).toMatchObject(verdict.config);
  }

  async #tree(record: ImageRecord): Promise<Readonly<Record<string, string>>> {
    const lower = this.#images.lowerDirectories(record.chainIds.at(-1) ?? "");
    const target = mkdtempSync(join(this.#top, "mount-"));
    const empty = mkdtempSync(join(this.#top, "empty-"));
    // A read-only overlay has two layers at least; the empty one lies below, for the top one's root is what shows.
    mountOverlay({ lower: lower.length > 1 ? lower : [...lower, empty], target });
    try {
      return this.#shown(listTree(target));
    } finally {
      await unmount(target);
      for (const path of [target, empty]) rmSync(path, { recursive: true });
    }
  }

  /** The tree with the canary's path as CANARY, and without the directories that lead there. */
  #shown(tree: ReadonlyMap<string, ListedNode>): Readonly<Record<string, string>> {
    const shorter = (text: string) => text.replaceAll(this.canary.slice(1), "CANARY");
    const leading = ["var", "var/tmp"];
    const nodes = [...tree].filter(([path]) => !tree.has(this.canary.slice(1)) || !leading.includes(path));
    return Object.fromEntries(nodes.map(([path, node]) => [shorter(path), shorter(shownNode(node))]));
  }

  /** Nothing of the image is left, and nothing outside of the store was touched. */
  #expectUnharmed(): void {
    const left = ["snapshots", "ingest", "content/sha256"].flatMap((name) => readdirSync(join(this.#top, name)));
    const rows = ["images", "snapshots", "ingests"].flatMap((table) => this.#database.all(`SELECT id FROM ${table}`));
    expect([...left, ...rows]).toEqual([]);
    expect(listTree(this.canary)).toEqual(this.#before);
  }
}

/**
 * A node in one line: kind, mode, owner unless root, what it is, its time unless that is the builders', extended
 * attributes, and the first name of the same inode: `file 4755 5:6 "content" @5.000000000 user.k=76 = other/name`.
 */
export function shownNode(node: ListedNode): string {
  const [seconds = "", fraction = ""] = node.mtime.split(".");
  // Directories that no archive names have none, and the builders' entries all the same.
  const mtime = ["0", "1700000000"].includes(seconds) && /^0*$/.test(fraction) ? "" : `@${seconds}.${fraction}`;
  const owner = node.owner === "0:0" ? "" : node.owner;
  const what = node.text ?? (node.target === undefined ? node.device : `-> ${node.target}`);
  const xattrs = Object.entries(node.xattrs).map(([name, value]) => `${name}=${value}`);
  const linked = node.linkedTo === undefined ? "" : `= ${node.linkedTo}`;
  return [node.kind, node.mode, owner, what, mtime, ...xattrs, linked]
    .filter((part) => part !== undefined && part !== "")
    .join(" ");
}

function told(outcome: unknown): object {
  if (!(outcome instanceof AgentError)) return { code: "none", text: JSON.stringify(outcome) };
  return { code: outcome.code, text: toStatus(outcome).details };
}

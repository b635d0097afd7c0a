import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type FinishedTree, finishLayerTree } from "../../src/images/erofs/finish-layer-tree.ts";
import { fitLayerTree } from "../../src/images/erofs/fit-layer-tree.ts";
import type { IndexDirectory } from "../../src/images/erofs/index-node.ts";
import { LayerTree } from "../../src/images/erofs/layer-tree.ts";
import { writeErofsIndex } from "../../src/images/erofs/write-erofs-index.ts";
import { finishLayer } from "../../src/images/finish-layer.ts";
import type { LayerFixUps } from "../../src/images/layer-job.ts";
import { LayerWriter } from "../../src/images/layer-writer.ts";
import { openLowerView } from "../../src/images/lower-view.ts";
import { TarReader } from "../../src/images/tar-reader.ts";
import { mount, mountFlag, unmount } from "../../src/system/mount.ts";
import { mountOverlay } from "../../src/system/overlay.ts";
import { removeTreeNow } from "../../src/system/remove-tree.ts";
import { closeFd, openRoot } from "../../src/system/root-directory.ts";

const maxEntries = 1_000_000;

/** What a layer came to: its tree's fix-ups, or the words it was refused with. */
export interface Verdict {
  readonly error?: string;
  readonly hidesLower?: boolean;
  readonly fixUps?: LayerFixUps;
}

/** Indexes and plain trees of one test, in a directory of their own on the disk. */
export class IndexFixture implements AsyncDisposable {
  readonly directory: string;
  readonly #mounts: string[] = [];
  #count = 0;

  constructor() {
    mkdirSync("/var/tmp/podling-test", { recursive: true });
    this.directory = mkdtempSync("/var/tmp/podling-test/erofs-");
  }

  /** Reads a layer's tree, pushing the archive in pieces of this size. */
  static read(tar: Buffer, hasParent: boolean, pieceBytes = 65_536): FinishedTree {
    const tree = new LayerTree({ maxNodes: maxEntries, hasParent });
    const reader = new TarReader(tree, maxEntries);
    for (let at = 0; at < tar.length; at += pieceBytes) reader.push(tar.subarray(at, at + pieceBytes));
    reader.finish();
    return finishLayerTree(tree.root, hasParent);
  }

  /**
   * Indexes layers, each fitted onto the ones before, and mounts all of them as one overlay.
   * @param tars bottom first
   */
  async mountImage(tars: readonly Buffer[]): Promise<string> {
    let lower: readonly string[] = [];
    for (const tar of tars) {
      const hasParent = lower.length > 0;
      const tree = new LayerTree({ maxNodes: maxEntries, hasParent });
      const reader = new TarReader(tree, maxEntries);
      reader.push(tar);
      reader.finish();
      const data = [tar];
      if (hasParent && !tree.root.isOpaque) {
        await using view = await openLowerView(lower, this.#next("view"));
        const fitted = fitLayerTree(tree.root, view.fd, { copy: (fd, sizeBytes) => copyInto(data, fd, sizeBytes) });
        const { root } = finishLayerTree(tree.root, hasParent, (path) => fitted.isHiding(path));
        lower = [this.mountIndex(Buffer.concat(data), root).target, ...lower];
        continue;
      }
      lower = [this.mountIndex(tar, finishLayerTree(tree.root, hasParent).root).target];
    }
    const target = this.#next("image");
    // A read-only overlay has two layers at least; the empty one lies below, for the top one's root is what shows.
    mountOverlay({ lower: lower.length > 1 ? lower : [...lower, this.#next("empty")], target });
    this.#mounts.unshift(target);
    return target;
  }

  /** Writes the tar and its index. @returns the bytes of the index, and where it is mounted */
  mountIndex(tar: Buffer, root: IndexDirectory, blockBits?: number): { index: Buffer; path: string; target: string } {
    const base = this.#next("layer");
    writeFileSync(join(base, "tar"), tar);
    const index = this.writeIndex(join(base, "index"), tar.length, root, blockBits);
    const target = join(base, "mount");
    mkdirSync(target);
    mount(join(base, "index"), target, "erofs", mountFlag.readonly, `device=${join(base, "tar")}`);
    this.#mounts.push(target);
    return { index, path: base, target };
  }

  writeIndex(path: string, dataBytes: number, root: IndexDirectory, blockBits?: number): Buffer {
    const fd = openSync(path, "w");
    try {
      const uuid = Buffer.alloc(16, 7);
      const length = writeErofsIndex(fd, root, { dataBytes, uuid, ...(blockBits !== undefined && { blockBits }) });
      if (statSync(path).size !== length) throw new Error("the index has another length than told");
    } finally {
      closeSync(fd);
    }
    return readFileSync(path);
  }

  /** The same layer as files, as the overlay form makes them. @returns the tree's directory and the verdict */
  unpack(tar: Buffer, hasParent: boolean): Verdict & { readonly directory: string } {
    const directory = this.#next("files");
    const rootFd = openRoot(directory);
    try {
      using writer = new LayerWriter(rootFd, { maxNodes: maxEntries, hasParent });
      const reader = new TarReader(writer, maxEntries);
      reader.push(tar);
      reader.finish();
      return { directory, ...finishLayer(rootFd, writer.notes, hasParent) };
    } catch (error) {
      return { directory, error: String(error) };
    } finally {
      closeFd(rootFd);
    }
  }

  #next(kind: string): string {
    this.#count++;
    const path = join(this.directory, `${kind}-${this.#count}`);
    mkdirSync(path);
    return path;
  }

  async unmountAll(): Promise<void> {
    for (const target of this.#mounts.splice(0)) await unmount(target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.unmountAll();
    removeTreeNow(this.directory);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Appends a file's content at a block's begin. @returns where */
function copyInto(data: Buffer[], fd: number, sizeBytes: number): number {
  const offset = data.reduce((sum, { length }) => sum + length, 0);
  const content = readFileSync(`/proc/self/fd/${fd}`);
  if (content.length !== sizeBytes) throw new Error(`read ${content.length} bytes of ${sizeBytes}`);
  data.push(Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]));
  return offset;
}

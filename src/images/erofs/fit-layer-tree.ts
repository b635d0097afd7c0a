import { ancestorsOf, type BytePath, isWithin, nameOf, parentOf, quotePath } from "../../system/byte-path.ts";
import { closeFd, openAt, openDirectoryIn, readLinkAt } from "../../system/root-directory.ts";
import { attributesOf, readAttributes } from "../copy-node.ts";
import { invalidLayer, oversizedLayer } from "../layer-error.ts";
import { inParent, linkIn } from "../merged-tree.ts";
import type { IndexFile, IndexSpecial, IndexSymlink } from "./index-node.ts";
import { impliedAttributes, type LayerDirectory, type LowerLinkNode } from "./layer-directory.ts";
import { addDirectory } from "./layer-tree-lookup.ts";
import { mergeLayerDirectories } from "./merge-layer-directories.ts";
import { MergedLayerTree } from "./merged-layer-tree.ts";

/** Each link costs a pass over all unsettled directories; honest layers have a handful of the one or the other. */
const maxMoves = 20_000_000;

/** Takes content that a layer needs of the layers below into the layer's own data file. */
export interface ContentSink {
  /** @returns the offset of the copy in the data file, at a block's begin */
  copy(fd: number, sizeBytes: number): number;
}

/** The layer's tree, and what its whiteouts hide. */
export interface FittedTree {
  isHiding(path: BytePath): boolean;
}

/**
 * Makes a layer's tree what it would be if its archive had been extracted onto its parents, as applyFixUps does with
 * files: implied directories become what the lower layers say, also when that is a link elsewhere; hard links to lower
 * files get them, and the lower name the same inode.
 * @param lowerFd the merged tree of the layers below
 * @throws AgentError InvalidArgument, SystemError
 */
export function fitLayerTree(root: LayerDirectory, lowerFd: number, content: ContentSink): FittedTree {
  const fitting = new Fitting(root, lowerFd, content);
  fitting.run();
  return { isHiding: (path) => fitting.tree.lower(path) !== undefined };
}

class Fitting {
  readonly tree: MergedLayerTree;
  readonly #content: ContentSink;
  readonly #unsettled = new Set<LayerDirectory>();
  readonly #queue: { readonly directory: LayerDirectory; readonly path: BytePath }[] = [];
  /** How far the queue has been worked off. */
  #settled = 0;
  #moves = 0;

  constructor(root: LayerDirectory, lowerFd: number, content: ContentSink) {
    this.tree = new MergedLayerTree(root, lowerFd, (directory) => this.#unsettled.has(directory));
    this.#content = content;
  }

  run(): void {
    this.#findImplied();
    this.#settle();
    for (const link of this.#findLinks()) {
      this.#link(link);
      this.#settle();
    }
  }

  /** Directories without an entry that the lower layers show through, in the order of their paths. */
  #findImplied(): void {
    const found: { directory: LayerDirectory; path: BytePath }[] = [];
    const pending = [this.tree.root];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (at.parent?.hidden.has(at.name) === true) continue;
      if (at.attributes === undefined) found.push({ directory: at, path: at.path });
      if (at.isOpaque) continue;
      for (const child of at.children.values()) if (child.kind === "directory") pending.push(child);
    }
    this.#enqueue(found);
  }

  #enqueue(found: { directory: LayerDirectory; path: BytePath }[]): void {
    for (const { directory } of found) this.#unsettled.add(directory);
    // Sorted, a directory comes before what it holds.
    this.#queue.push(...found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0)));
  }

  #settle(): void {
    for (; this.#settled < this.#queue.length; this.#settled++) {
      const next = this.#queue[this.#settled];
      if (next === undefined || !this.#unsettled.has(next.directory) || next.directory.path !== next.path) continue;
      const below = this.tree.lower(next.path);
      if (below?.kind === "symlink") {
        this.#moveThroughLink(next.directory, next.path);
        continue;
      }
      if (below?.kind === "directory") next.directory.attributes = this.#lowerAttributes(next.path);
      else if (below !== undefined) {
        throw invalidLayer(`an entry lies below ${quotePath(next.path)}, which is a ${below.kind} in the layers below`);
      }
      this.#unsettled.delete(next.directory);
    }
  }

  #lowerAttributes(path: BytePath): typeof impliedAttributes {
    const fd = openDirectoryIn(this.tree.lowerFd, path === "" ? "." : path);
    if (fd === undefined) return impliedAttributes;
    try {
      return readAttributes(fd);
    } finally {
      closeFd(fd);
    }
  }

  /** Below a link of a lower layer, entries belong into the directory that the link leads to. */
  #moveThroughLink(directory: LayerDirectory, path: BytePath): void {
    const target = linkIn(this.tree.lowerFd, path) ?? "";
    const destination = this.tree.resolve(target.startsWith("/") ? target : `${parentOf(path)}/${target}`, true);
    if (isWithin(path, destination)) throw invalidLayer(`${quotePath(path)} is a symbolic link into itself`);
    this.#unsettled.delete(directory);
    this.#moves += this.#unsettled.size;
    if (this.#moves > maxMoves) throw oversizedLayer("too many of its directories are symbolic links in lower layers");
    const moved = [...this.#unsettled].filter((other) => isWithin(path, other.path));
    // Out of the way first: what is moved may belong where the directory itself stood.
    directory.parent?.children.delete(directory.name);
    mergeLayerDirectories(directory, this.#makeDirectories(destination), this.#unsettled);
    const still = moved.filter((other) => this.#unsettled.has(other));
    this.#enqueue(still.map((other) => ({ directory: other, path: other.path })));
  }

  /** Makes what is missing of a path without links, to be settled like other implied directories. */
  #makeDirectories(path: BytePath): LayerDirectory {
    let at = this.tree.root;
    for (const above of [...ancestorsOf(path), path]) {
      if (above === "") continue;
      const found = at.children.get(nameOf(above));
      if (found?.kind === "directory") {
        at = found;
        continue;
      }
      if (found !== undefined) throw invalidLayer(`an entry lies below ${quotePath(above)}, which is a ${found.kind}`);
      const isHidden = at.hidden.has(nameOf(above));
      at = addDirectory(at, nameOf(above));
      if (!isHidden) this.#enqueue([{ directory: at, path: above }]);
    }
    return at;
  }

  /** The links to lower files, in the archive's order. */
  #findLinks(): LowerLinkNode[] {
    const found: LowerLinkNode[] = [];
    const pending = [this.tree.root];
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      for (const node of directory.children.values()) {
        if (node.kind === "directory") pending.push(node);
        else if (node.kind === "lower-link") found.push(node);
      }
    }
    return found.sort((a, b) => a.order - b.order);
  }

  /** Finds the file that only the layers below have, and gives that file's name the same inode, as link(2) would. */
  #link(node: LowerLinkNode): void {
    const { directory, name } = node;
    // A link that the settling put out of the way is none any more.
    if (directory.children.get(name) !== node) return;
    const path = directory.path === "" ? name : `${directory.path}/${name}`;
    const source = this.tree.resolve(node.target, false);
    const own = this.tree.own(source);
    if (own !== undefined && source !== path && !node.isOvertaken) {
      if (own.kind === "directory") throw badTarget(path, node.target, "a directory");
      directory.children.set(name, own);
      return;
    }
    const below = this.tree.lowerNode(source);
    if (below === undefined) throw badTarget(path, node.target, "missing");
    if (below.kind === "directory" || below.kind === "socket") throw badTarget(path, node.target, `a ${below.kind}`);
    node.found = this.#readLower(source);
    if (own === undefined && !this.tree.isWhiteout(source) && this.tree.lower(source) !== undefined) {
      this.#makeDirectories(parentOf(source)).children.set(nameOf(source), node);
    }
  }

  #readLower(source: BytePath): IndexFile | IndexSymlink | IndexSpecial {
    const below = this.tree.lowerNode(source);
    const found = inParent(this.tree.lowerFd, source, (fd, name) => {
      switch (below?.kind) {
        case "file":
          return this.#copyFile(fd, name, below.sizeBytes);
        case "symlink":
          return { kind: below.kind, attributes: attributesOf(below), target: readLinkAt(fd, name) };
        case "char":
        case "block":
        case "fifo": {
          const numbers = { major: below.deviceMajor, minor: below.deviceMinor };
          return { kind: below.kind, attributes: attributesOf(below), numbers };
        }
        default:
          return undefined;
      }
    });
    if (found === undefined) throw new RangeError(`${quotePath(source)} of the layers below went away`);
    return found;
  }

  #copyFile(dirFd: number, name: BytePath, sizeBytes: number): IndexFile {
    const fd = openAt(dirFd, name, "read");
    try {
      const contentOffsetBytes = this.#content.copy(fd, sizeBytes);
      return { kind: "file", attributes: readAttributes(fd), sizeBytes, contentOffsetBytes };
    } finally {
      closeFd(fd);
    }
  }
}

function badTarget(path: BytePath, target: BytePath, what: string): Error {
  return invalidLayer(`hard link ${quotePath(path)} has the target ${quotePath(target)}, which is ${what}`);
}

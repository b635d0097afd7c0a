import { ancestorsOf, type BytePath, nameOf, parentOf, quotePath } from "../../system/byte-path.ts";
import { type NodeStat, statAt, statFd } from "../../system/root-directory.ts";
import { followLinks } from "../follow-links.ts";
import { invalidLayer } from "../layer-error.ts";
import { inParent, linkIn } from "../merged-tree.ts";
import type { LayerDirectory, LayerNode } from "./layer-directory.ts";

/** A layer's tree in memory above the layers below it, as lookups see them: MergedTree's rules. Paths have no links. */
export class MergedLayerTree {
  readonly root: LayerDirectory;
  readonly lowerFd: number;
  /** Directories that the layer implies and that still wait for what the lower layers say. */
  readonly #isUnsettled: (directory: LayerDirectory) => boolean;

  constructor(root: LayerDirectory, lowerFd: number, isUnsettled: (directory: LayerDirectory) => boolean) {
    this.root = root;
    this.lowerFd = lowerFd;
    this.#isUnsettled = isUnsettled;
  }

  /** The layer's own node at a path. */
  own(path: BytePath): LayerNode | undefined {
    if (path === "") return this.root;
    const parent = this.ownDirectory(parentOf(path));
    return parent?.children.get(nameOf(path));
  }

  ownDirectory(path: BytePath): LayerDirectory | undefined {
    let at: LayerNode | undefined = this.root;
    if (path === "") return this.root;
    for (const name of path.split("/")) {
      if (at?.kind !== "directory") return undefined;
      at = at.children.get(name);
    }
    return at?.kind === "directory" ? at : undefined;
  }

  /** Whether the layer hides what lies below the path and puts nothing there. */
  isWhiteout(path: BytePath): boolean {
    const parent = path === "" ? undefined : this.ownDirectory(parentOf(path));
    return parent?.hidden.has(nameOf(path)) === true && !parent.children.has(nameOf(path));
  }

  /** What the lower layers have at the path, if no directory of this layer above the path hides it. */
  lower(path: BytePath): NodeStat | undefined {
    if (ancestorsOf(path).some((above) => this.#isOpaque(above))) return undefined;
    return this.lowerNode(path);
  }

  /** What the lower layers have at the path, hidden or not. */
  lowerNode(path: BytePath): NodeStat | undefined {
    return path === "" ? statFd(this.lowerFd) : inParent(this.lowerFd, path, statAt);
  }

  /** The path without links: {@link followLinks} through what this tree has. */
  resolve(path: BytePath, followLast: boolean): BytePath {
    return followLinks(path, followLast, (at, isLast) => this.#linkTarget(at, isLast));
  }

  /** The target of the link at a path; undefined for a directory or nothing. */
  #linkTarget(path: BytePath, isLast: boolean): BytePath | undefined {
    const own = this.own(path);
    const isImplied = own?.kind === "directory" && this.#isUnsettled(own);
    if (own !== undefined && !isImplied) {
      if (own.kind === "directory") return undefined;
      if (own.kind === "symlink") return own.target;
      if (own.kind === "lower-link" && own.found?.kind === "symlink") return own.found.target;
      if (isLast) return undefined;
      throw inTheWay(path, own.kind === "lower-link" ? (own.found?.kind ?? "file") : own.kind);
    }
    const below = own === undefined && this.isWhiteout(path) ? undefined : this.lower(path);
    if (below === undefined || below.kind === "directory") return undefined;
    if (below.kind === "symlink") return linkIn(this.lowerFd, path);
    if (isLast) return undefined;
    throw inTheWay(path, below.kind);
  }

  #isOpaque(path: BytePath): boolean {
    const directory = this.ownDirectory(path);
    if (directory === undefined) return false;
    return directory.isOpaque || directory.parent?.hidden.has(directory.name) === true;
  }
}

function inTheWay(path: BytePath, kind: string): Error {
  return invalidLayer(`an entry lies below ${quotePath(path)}, which is a ${kind}`);
}

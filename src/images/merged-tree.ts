import { ancestorsOf, type BytePath, nameOf, parentOf, quotePath } from "../system/byte-path.ts";
import { getXattr } from "../system/extended-attributes.ts";
import { closeFd, type NodeStat, openDirectoryIn, readLinkAt, statAt, statFd } from "../system/root-directory.ts";
import { opaqueXattr } from "./finish-layer.ts";
import { followLinks } from "./follow-links.ts";
import { invalidLayer } from "./layer-error.ts";

/**
 * A staged layer above the layers below it, as lookups see them: the layer's own node wins, and its opaque directories
 * and nodes of another kind hide what lies below. Paths have no links in them.
 */
export class MergedTree {
  readonly stagedFd: number;
  readonly lowerFd: number;
  /** Directories that the layer implies and that still wait for what the lower layers say. */
  readonly #isUnsettled: (path: BytePath) => boolean;
  readonly #opaque = new Map<BytePath, boolean>();

  constructor(stagedFd: number, lowerFd: number, isUnsettled: (path: BytePath) => boolean) {
    this.stagedFd = stagedFd;
    this.lowerFd = lowerFd;
    this.#isUnsettled = isUnsettled;
  }

  staged(path: BytePath): NodeStat | undefined {
    return statIn(this.stagedFd, path);
  }

  /** What the lower layers have at the path, if nothing of this layer above the path hides it. */
  lower(path: BytePath): NodeStat | undefined {
    // A directory of this layer on a link or file of a lower one is not merged with it: the lookup below fails then,
    // because it takes no links on the way.
    return ancestorsOf(path).some((above) => this.#isOpaque(above)) ? undefined : statIn(this.lowerFd, path);
  }

  /** Call when opaque marks or directories have changed. */
  forget(): void {
    this.#opaque.clear();
  }

  /** The path without links: {@link followLinks} through what this tree has. */
  resolve(path: BytePath, followLast: boolean): BytePath {
    return followLinks(path, followLast, (at, isLast) => this.#linkTarget(at, isLast));
  }

  /** The target of the link at a path; undefined for a directory or nothing. */
  #linkTarget(path: BytePath, isLast: boolean): BytePath | undefined {
    const staged = this.staged(path);
    const isImplied = staged?.kind === "directory" && this.#isUnsettled(path);
    const fromStaged = staged !== undefined && !isWhiteout(staged) && !isImplied;
    const node = fromStaged ? staged : staged !== undefined && !isImplied ? undefined : this.lower(path);
    if (node === undefined || node.kind === "directory") return undefined;
    if (node.kind === "symlink") return linkIn(fromStaged ? this.stagedFd : this.lowerFd, path);
    if (isLast) return undefined;
    throw invalidLayer(`an entry lies below ${quotePath(path)}, which is a ${node.kind}`);
  }

  #isOpaque(path: BytePath): boolean {
    const known = this.#opaque.get(path);
    if (known !== undefined) return known;
    const fd = openDirectoryIn(this.stagedFd, path);
    let opaque = false;
    if (fd !== undefined) {
      try {
        opaque = getXattr(fd, opaqueXattr) !== undefined;
      } finally {
        closeFd(fd);
      }
    }
    this.#opaque.set(path, opaque);
    return opaque;
  }
}

/** Overlayfs's mark for "nothing here": a character device 0:0. */
export function isWhiteout(node: NodeStat): boolean {
  return node.kind === "char" && node.deviceMajor === 0 && node.deviceMinor === 0;
}

/** Looks at a path below a root without following any link. */
function statIn(rootFd: number, path: BytePath): NodeStat | undefined {
  if (path === "") return statFd(rootFd);
  return inParent(rootFd, path, (fd, name) => statAt(fd, name));
}

/** The target of a symbolic link below a root; undefined when there is none. */
export function linkIn(rootFd: number, path: BytePath): BytePath | undefined {
  return inParent(rootFd, path, (fd, name) => readLinkAt(fd, name));
}

/** Opens the directory of a path for one call. @returns undefined when there is no such directory */
export function inParent<Result>(
  rootFd: number,
  path: BytePath,
  use: (fd: number, name: BytePath) => Result,
): Result | undefined {
  const fd = openDirectoryIn(rootFd, parentOf(path));
  if (fd === undefined) return undefined;
  try {
    return use(fd, nameOf(path));
  } finally {
    closeFd(fd);
  }
}

import { join } from "node:path";
import { SystemError } from "../common/errors.ts";
import { ancestorsOf, type BytePath, isWithin, nameOf, parentOf, quotePath } from "../system/byte-path.ts";
import { setXattr } from "../system/extended-attributes.ts";
import {
  closeFd,
  makeDirectoryAt,
  makeLinkAt,
  openDirectoryIn,
  openRoot,
  removeTreeAt,
  renameAt,
  statAt,
  unlinkAt,
} from "../system/root-directory.ts";
import { copyAttributes, copyFile, copySpecial, keepingTimes } from "./copy-node.ts";
import { opaqueValue, opaqueXattr, settleImplied } from "./finish-layer.ts";
import { invalidLayer, oversizedLayer } from "./layer-error.ts";
import type { LayerFixUps, LowerLink, StagedLayer } from "./layer-job.ts";
import { mergeDirectories } from "./merge-directories.ts";
import { inParent, isWhiteout, linkIn, MergedTree } from "./merged-tree.ts";

const asideName = "aside";
/** Each link costs a pass over all notes; honest layers have a handful of the one or the other. */
const maxRenames = 20_000_000;

type Steps = Generator<void, void, undefined>;

/**
 * Makes a layer that was unpacked by itself what it would be if it had been unpacked onto its parents: implied
 * directories become what the lower layers say, also when that is a link elsewhere; hard links to lower files get
 * them; whiteouts of nothing go, for overlayfs lists them in directories that it does not merge.
 * The steps are for runSliced.
 * @param lowerFd the merged tree of the layers below
 * @throws AgentError InvalidArgument, SystemError
 */
export function* applyFixUps(staged: StagedLayer, lowerFd: number): Steps {
  const directoryFd = openRoot(staged.directory);
  const stagedFd = openRoot(join(staged.directory, "fs"));
  try {
    yield* new Fitting(directoryFd, stagedFd, lowerFd, staged.fixUps).run();
  } finally {
    closeFd(stagedFd);
    closeFd(directoryFd);
  }
}

class Fitting {
  /** The directory that holds the layer's root: a place outside of the tree. */
  readonly #directoryFd: number;
  readonly #tree: MergedTree;
  readonly #unsettled: Set<BytePath>;
  readonly #queue: BytePath[];
  /** How far the queue has been worked off. */
  #settled = 0;
  #renames = 0;
  #whiteouts: readonly BytePath[];
  #links: readonly LowerLink[];

  constructor(directoryFd: number, stagedFd: number, lowerFd: number, fixUps: LayerFixUps) {
    this.#directoryFd = directoryFd;
    this.#unsettled = new Set(fixUps.impliedDirectories);
    // Sorted, a directory comes before what it holds.
    this.#queue = [...fixUps.impliedDirectories].sort();
    this.#whiteouts = fixUps.whiteouts;
    this.#links = fixUps.lowerLinks;
    this.#tree = new MergedTree(stagedFd, lowerFd, (path) => this.#unsettled.has(path));
  }

  *run(): Steps {
    yield* this.#settle();
    for (let next = 0; next < this.#links.length; next++) {
      const link = this.#links[next];
      if (link !== undefined) yield* this.#link(link);
      yield* this.#settle();
    }
    for (const path of this.#whiteouts) {
      this.#prune(path);
      yield;
    }
  }

  *#settle(): Steps {
    for (; this.#settled < this.#queue.length; this.#settled++) {
      const path = this.#queue[this.#settled];
      if (path === undefined || !this.#unsettled.has(path)) continue;
      const below = this.#tree.lower(path);
      if (below?.kind === "symlink") {
        yield* this.#moveThroughLink(path);
        continue;
      }
      if (below?.kind === "directory") this.#takeAttributes(path);
      else if (below !== undefined) {
        throw invalidLayer(`an entry lies below ${quotePath(path)}, which is a ${below.kind} in the layers below`);
      }
      this.#unsettled.delete(path);
      yield;
    }
  }

  #takeAttributes(path: BytePath): void {
    const to = this.#openStaged(path);
    const from = openDirectoryIn(this.#tree.lowerFd, path);
    try {
      if (from !== undefined) copyAttributes(from, to);
    } finally {
      if (from !== undefined) closeFd(from);
      closeFd(to);
    }
  }

  /** Below a link of a lower layer, entries belong into the directory that the link leads to. */
  *#moveThroughLink(path: BytePath): Steps {
    const target = linkIn(this.#tree.lowerFd, path) ?? "";
    const destination = this.#tree.resolve(target.startsWith("/") ? target : `${parentOf(path)}/${target}`, true);
    if (isWithin(path, destination)) throw invalidLayer(`${quotePath(path)} is a symbolic link into itself`);
    // No more, for what is moved may bring another directory to the same path.
    this.#unsettled.delete(path);
    // Out of the way first: what is moved may belong where the directory itself stood.
    inParent(this.#tree.stagedFd, path, (fd, name) =>
      keepingTimes(fd, () => renameAt(fd, name, this.#directoryFd, asideName)),
    );
    this.#makeDirectories(destination);
    const from = openDirectoryIn(this.#directoryFd, asideName);
    const to = this.#openStaged(destination);
    try {
      if (from === undefined) throw new SystemError(`directory ${quotePath(path)} of the layer went away`);
      yield* mergeDirectories({ fd: from, path }, { fd: to, path: destination }, this.#unsettled);
    } finally {
      if (from !== undefined) closeFd(from);
      closeFd(to);
    }
    yield* removeTreeAt(this.#directoryFd, asideName);
    this.#tree.forget();
    this.#renameNotes(path, destination);
  }

  #renameNotes(from: BytePath, to: BytePath): void {
    this.#renames += this.#unsettled.size + this.#whiteouts.length + this.#links.length;
    if (this.#renames > maxRenames)
      throw oversizedLayer("too many of its directories are symbolic links in lower layers");
    const renamed = (path: BytePath) => (isWithin(from, path) ? `${to}${path.slice(from.length)}` : path);
    const moved = [...this.#unsettled].filter((path) => isWithin(from, path));
    for (const path of moved) {
      this.#unsettled.delete(path);
      this.#unsettled.add(renamed(path));
    }
    this.#queue.push(...moved.map(renamed).sort());
    this.#whiteouts = this.#whiteouts.map(renamed);
    this.#links = this.#links.map((link) => ({ ...link, path: renamed(link.path) }));
  }

  /** Makes what is missing of a path without links, to be settled like other implied directories. */
  #makeDirectories(path: BytePath): void {
    for (const directory of [...ancestorsOf(path), path]) {
      const found = this.#tree.staged(directory);
      if (found?.kind === "directory") continue;
      const hidden = found !== undefined && isWhiteout(found);
      if (found !== undefined && !hidden) {
        throw invalidLayer(`an entry lies below ${quotePath(directory)}, which is a ${found.kind}`);
      }
      inParent(this.#tree.stagedFd, directory, (fd, name) =>
        keepingTimes(fd, () => {
          if (hidden) unlinkAt(fd, name);
          makeDirectoryAt(fd, name, 0o755);
        }),
      );
      const made = this.#openStaged(directory);
      settleImplied(made);
      if (hidden) setXattr(made, opaqueXattr, opaqueValue);
      closeFd(made);
      this.#tree.forget();
      if (hidden) continue;
      this.#unsettled.add(directory);
      this.#queue.push(directory);
    }
  }

  /** Gives a placeholder the file that only the layers below have, and that file's name the same inode, as link(2) would. */
  *#link({ path, target, overtaken }: LowerLink): Steps {
    const { stagedFd, lowerFd } = this.#tree;
    const source = this.#tree.resolve(target, false);
    const own = this.#tree.staged(source);
    if (own !== undefined && !overtaken && !isWhiteout(own) && source !== path) {
      if (own.kind === "directory") throw badTarget(path, target, "a directory");
      return this.#linkInStead(path, source);
    }
    const sourceFd = openDirectoryIn(lowerFd, parentOf(source));
    const pathFd = openDirectoryIn(stagedFd, parentOf(path));
    try {
      const below = sourceFd === undefined ? undefined : inParent(lowerFd, source, statAt);
      if (sourceFd === undefined || pathFd === undefined || below === undefined) {
        throw badTarget(path, target, "missing");
      }
      if (below.kind === "directory" || below.kind === "socket") throw badTarget(path, target, `a ${below.kind}`);
      if (below.kind === "file") yield* copyFile(sourceFd, nameOf(source), pathFd, nameOf(path));
      else this.#replacePlaceholder(path, (fd, name) => copySpecial(sourceFd, nameOf(source), below, fd, name));
    } finally {
      if (sourceFd !== undefined) closeFd(sourceFd);
      if (pathFd !== undefined) closeFd(pathFd);
    }
    if (own === undefined && this.#tree.lower(source) !== undefined) {
      this.#makeDirectories(parentOf(source));
      this.#linkTo(path, source);
    }
  }

  #linkInStead(path: BytePath, source: BytePath): void {
    const fd = this.#openStaged(parentOf(source));
    try {
      this.#replacePlaceholder(path, (toFd, name) => makeLinkAt(fd, nameOf(source), toFd, name));
    } finally {
      closeFd(fd);
    }
  }

  #linkTo(path: BytePath, source: BytePath): void {
    const from = this.#openStaged(parentOf(path));
    try {
      inParent(this.#tree.stagedFd, source, (fd, name) =>
        keepingTimes(fd, () => makeLinkAt(from, nameOf(path), fd, name)),
      );
    } finally {
      closeFd(from);
    }
  }

  #replacePlaceholder(path: BytePath, make: (fd: number, name: BytePath) => void): void {
    const placeholder = this.#tree.staged(path);
    if (placeholder !== undefined && placeholder.linkCount > 1) {
      throw invalidLayer(`hard link ${quotePath(path)} is the target of another and has its own in a lower layer`);
    }
    inParent(this.#tree.stagedFd, path, (fd, name) =>
      keepingTimes(fd, () => {
        unlinkAt(fd, name);
        make(fd, name);
      }),
    );
  }

  #prune(path: BytePath): void {
    const own = this.#tree.staged(path);
    if (own === undefined || !isWhiteout(own) || this.#tree.lower(path) !== undefined) return;
    inParent(this.#tree.stagedFd, path, (fd, name) => keepingTimes(fd, () => unlinkAt(fd, name)));
  }

  #openStaged(path: BytePath): number {
    const fd = openDirectoryIn(this.#tree.stagedFd, path);
    if (fd === undefined) throw new SystemError(`directory ${quotePath(path)} of the layer went away`);
    return fd;
  }
}

function badTarget(path: BytePath, target: BytePath, what: string): Error {
  return invalidLayer(`hard link ${quotePath(path)} has the target ${quotePath(target)}, which is ${what}`);
}

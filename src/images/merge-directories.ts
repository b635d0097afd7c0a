import { SystemError } from "../common/errors.ts";
import { runAtOnce } from "../common/time-slice.ts";
import { type BytePath, joinPath, quotePath } from "../system/byte-path.ts";
import { getXattr, setXattr } from "../system/extended-attributes.ts";
import {
  closeFd,
  listNames,
  openDirectoryIn,
  removeTreeAt,
  renameAt,
  setTimes,
  statAt,
  statFd,
  unlinkAt,
} from "../system/root-directory.ts";
import { copyAttributes } from "./copy-node.ts";
import { opaqueValue, opaqueXattr } from "./finish-layer.ts";
import { isWhiteout } from "./merged-tree.ts";

interface OpenDirectory {
  readonly fd: number;
  readonly path: BytePath;
}

/**
 * Moves all that one directory of a layer holds into another. Where both have a name, directories merge and otherwise
 * the moved one wins; a moved whiteout hides what lies below the name it meets.
 * @param implied directories without an entry of their own: others keep their attributes when they merge into one
 */
export function* mergeDirectories(
  from: OpenDirectory,
  to: OpenDirectory,
  implied: Set<BytePath>,
): Generator<void, void, undefined> {
  const { mtimeSeconds, mtimeNanoseconds } = statFd(to.fd);
  if (getXattr(from.fd, opaqueXattr) !== undefined) setXattr(to.fd, opaqueXattr, opaqueValue);
  for (const name of listNames(from.fd)) {
    const moved = statAt(from.fd, name);
    const met = statAt(to.fd, name);
    if (moved === undefined || met === undefined) renameAt(from.fd, name, to.fd, name);
    else if (isWhiteout(moved)) {
      if (met.kind === "directory") markOpaque(to.fd, name);
      unlinkAt(from.fd, name);
    } else if (moved.kind === "directory" && met.kind === "directory") {
      yield* mergeChild(from, to, name, implied);
    } else {
      yield* removeTreeAt(to.fd, name);
      renameAt(from.fd, name, to.fd, name);
      if (moved.kind === "directory") markOpaque(to.fd, name);
    }
    yield;
  }
  setTimes(to.fd, mtimeSeconds, mtimeNanoseconds);
}

function* mergeChild(
  from: OpenDirectory,
  to: OpenDirectory,
  name: BytePath,
  implied: Set<BytePath>,
): Generator<void, void, undefined> {
  const source = { fd: openChild(from.fd, name), path: joinPath(from.path, name) };
  const target = { fd: openChild(to.fd, name), path: joinPath(to.path, name) };
  try {
    yield* mergeDirectories(source, target, implied);
    // The one that has an entry decides; where neither has, the target is settled by itself.
    if (!implied.delete(source.path)) {
      copyAttributes(source.fd, target.fd);
      implied.delete(target.path);
    }
  } finally {
    closeFd(source.fd);
    closeFd(target.fd);
  }
  runAtOnce(removeTreeAt(from.fd, name));
}

function markOpaque(dirFd: number, name: BytePath): void {
  const fd = openChild(dirFd, name);
  try {
    setXattr(fd, opaqueXattr, opaqueValue);
  } finally {
    closeFd(fd);
  }
}

function openChild(dirFd: number, name: BytePath): number {
  const fd = openDirectoryIn(dirFd, name);
  if (fd === undefined) throw new SystemError(`directory ${quotePath(name)} of the layer went away`);
  return fd;
}

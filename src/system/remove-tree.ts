import { basename, dirname } from "node:path";
import koffi from "koffi";
import { SystemError } from "../common/errors.ts";
import { type BytePath, quotePath } from "./byte-path.ts";
import { AT_REMOVEDIR, cString, errnoName, libc } from "./libc.ts";
import { closeFd, listNames, openDirectoryIn, openRoot } from "./root-directory.ts";

/**
 * How deep a tree is walked before what lies deeper is moved up. A container can nest directories without end: walked to
 * the bottom they would cost a descriptor each, and by path they could not be named at all (PATH_MAX).
 */
const mostDepth = 64;

/**
 * Removes a directory with everything below it, whatever the bytes and the depth of its names; gone counts as done. No
 * link is followed. It holds the calling thread until it is done, so the main thread has it done by a blocking worker.
 * @param path absolute, and ours
 * @throws SystemError
 */
export function removeTreeNow(path: string): void {
  let parent: number;
  try {
    parent = openRoot(dirname(path));
  } catch (error) {
    if (error instanceof SystemError && error.errno === "ENOENT") return;
    throw error;
  }
  try {
    removeName(parent, Buffer.from(basename(path)).toString("latin1"));
  } finally {
    closeFd(parent);
  }
}

function removeName(parent: number, name: BytePath): void {
  if (unlinked(parent, name)) return;
  const top = openDirectoryIn(parent, name);
  if (top === undefined) return;
  try {
    const tree: Tree = { top, moved: 0 };
    // Each round takes away what the round before moved up.
    for (let names = listNames(top); names.length > 0; names = listNames(top)) {
      for (const entry of names) removeEntry(tree, top, entry, 1);
    }
  } finally {
    closeFd(top);
  }
  removeEmpty(parent, name);
}

interface Tree {
  readonly top: number;
  /** How many directories were moved up so far. */
  moved: number;
}

function removeEntry(tree: Tree, directory: number, name: BytePath, depth: number): void {
  if (unlinked(directory, name)) return;
  if (depth === mostDepth) {
    moveUp(tree, directory, name);
    return;
  }
  const child = openDirectoryIn(directory, name);
  if (child === undefined) return;
  try {
    for (const entry of listNames(child)) removeEntry(tree, child, entry, depth + 1);
  } finally {
    closeFd(child);
  }
  removeEmpty(directory, name);
}

/** The new name may be taken by a file of the tree's, which then is a directory's name no more. */
function moveUp(tree: Tree, directory: number, name: BytePath): void {
  for (;;) {
    const to = `.removed-${tree.moved++}`;
    if (libc.renameat(directory, nameBytes(name), tree.top, cString(to)) === 0) return;
    const errno = errnoName(koffi.errno());
    if (errno === "ENOENT") return;
    if (!["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(errno)) throw failed("move", name, errno);
  }
}

/** @returns false when a directory stands at the name */
function unlinked(directory: number, name: BytePath): boolean {
  if (libc.unlinkat(directory, nameBytes(name), 0) === 0) return true;
  const errno = errnoName(koffi.errno());
  if (errno === "ENOENT") return true;
  if (errno === "EISDIR") return false;
  throw failed("remove", name, errno);
}

function removeEmpty(directory: number, name: BytePath): void {
  if (libc.unlinkat(directory, nameBytes(name), AT_REMOVEDIR) === 0) return;
  const errno = errnoName(koffi.errno());
  if (errno !== "ENOENT") throw failed("remove directory", name, errno);
}

function nameBytes(name: BytePath): Buffer {
  return cString(Buffer.from(name, "latin1"));
}

function failed(action: string, name: BytePath, errno: string): SystemError {
  return new SystemError(`${action} ${quotePath(name)}: ${errno}`, { errno });
}

import { closeSync, constants, type Dirent, fstatSync, lstatSync, openSync, readdirSync, type Stats } from "node:fs";
import { errnoOf, SystemError } from "../common/errors.ts";

/** What a directory tree takes on its disk. */
export interface TreeUsage {
  readonly usedBytes: number;
  readonly inodes: number;
}

/** Directories that are open at once: what lies deeper is not counted. */
const maxDepth = 512;
const blockBytes = 512;
const directoryOnly = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

interface Level {
  readonly fd: number;
  readonly names: readonly Dirent<NonSharedBuffer>[];
  next: number;
}

/**
 * Adds up the blocks and inodes of a tree, a file with several names once, as du(1) does. Somebody may change the tree
 * meanwhile: names are looked up below open directories and never followed, so the walk can't be led out of it, nor onto
 * another file system.
 * @returns the steps of the walk, one for each name; undefined when there is no such directory
 * @throws SystemError
 */
export function* measureTree(root: string): Generator<void, TreeUsage | undefined, undefined> {
  const stack: Level[] = [];
  const seen = new Set<string>();
  let [blocks, inodes] = [0, 0];
  const count = (stats: Stats) => {
    if (stats.nlink > 1 && !stats.isDirectory()) {
      const identity = `${stats.dev}:${stats.ino}`;
      if (seen.has(identity)) return;
      seen.add(identity);
    }
    blocks += stats.blocks;
    inodes += 1;
  };
  try {
    const top = openLevel(root, undefined);
    if (top === undefined) return undefined;
    stack.push(top.level);
    count(top.stats);
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      const entry = level.names[level.next++];
      if (entry === undefined) {
        closeSync(level.fd);
        stack.pop();
        continue;
      }
      const path = below(level.fd, entry.name);
      const child = entry.isDirectory() && stack.length < maxDepth ? openLevel(path, top.stats.dev) : undefined;
      const stats = child?.stats ?? statIfThere(path);
      if (child !== undefined) stack.push(child.level);
      if (stats !== undefined) count(stats);
      yield;
    }
    return { usedBytes: blocks * blockBytes, inodes };
  } finally {
    for (const { fd } of stack) closeSync(fd);
  }
}

/** @returns undefined for what has gone, is no directory any more, or lies on another file system */
function openLevel(path: string | Buffer, device: number | undefined) {
  let fd: number;
  try {
    fd = openSync(path, directoryOnly);
  } catch (error) {
    return gone(error, path);
  }
  try {
    const stats = fstatSync(fd);
    if (device !== undefined && stats.dev !== device) {
      closeSync(fd);
      return undefined;
    }
    const names = readdirSync(`/proc/self/fd/${fd}`, { withFileTypes: true, encoding: "buffer" });
    return { stats, level: { fd, names, next: 0 } };
  } catch (error) {
    closeSync(fd);
    return gone(error, path);
  }
}

function statIfThere(path: Buffer): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    return gone(error, path);
  }
}

function gone(error: unknown, path: string | Buffer): undefined {
  const errno = errnoOf(error);
  if (["ENOENT", "ENOTDIR", "ELOOP"].includes(errno ?? "")) return undefined;
  throw new SystemError(`measure "${path}": ${errno ?? String(error)}`, { cause: error, ...(errno && { errno }) });
}

/** A name in an open directory; names are bytes that need not be text. */
function below(fd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
}

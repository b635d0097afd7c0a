import { readSync } from "node:fs";
import type { BytePath } from "../system/byte-path.ts";
import { getXattr, listXattrs } from "../system/extended-attributes.ts";
import {
  closeFd,
  makeNodeAt,
  makeSymlinkAt,
  type NodeStat,
  openAt,
  readLinkAt,
  setTimes,
  statFd,
  writeAll,
} from "../system/root-directory.ts";
import { applyAttributes, applyNodeAttributes } from "./node-attributes.ts";
import { mayCopyXattr, type NodeAttributes } from "./plan-unpack.ts";

const copyBytes = 1024 * 1024;

/** Gives one open file or directory the owner, mode, attributes and times of another. */
export function copyAttributes(fromFd: number, toFd: number): void {
  const attributes = readAttributes(fromFd);
  applyAttributes(toFd, attributes);
  setTimes(toFd, attributes.mtimeSeconds, attributes.mtimeNanoseconds);
}

/** What of an open file or directory a layer may have copied from another layer. */
export function readAttributes(fd: number): NodeAttributes {
  return { ...attributesOf(statFd(fd)), xattrs: readXattrs(fd) };
}

/** Fills an empty regular file with another's content and gives it all of the other's attributes, a piece a step. */
export function* copyFile(
  fromDirFd: number,
  from: BytePath,
  toDirFd: number,
  to: BytePath,
): Generator<void, void, undefined> {
  const source = openAt(fromDirFd, from, "read");
  try {
    const target = openAt(toDirFd, to, "write");
    try {
      const buffer = Buffer.allocUnsafe(copyBytes);
      for (let read = readSync(source, buffer); read > 0; read = readSync(source, buffer)) {
        writeAll(target, buffer.subarray(0, read));
        yield;
      }
      copyAttributes(source, target);
    } finally {
      closeFd(target);
    }
  } finally {
    closeFd(source);
  }
}

/** Makes a symbolic link, device or fifo like another. */
export function copySpecial(fromDirFd: number, from: BytePath, stat: NodeStat, toDirFd: number, to: BytePath): void {
  const { kind } = stat;
  if (kind === "symlink") makeSymlinkAt(toDirFd, to, readLinkAt(fromDirFd, from));
  else if (kind === "char" || kind === "block" || kind === "fifo") {
    makeNodeAt(toDirFd, to, kind, { major: stat.deviceMajor, minor: stat.deviceMinor });
  } else return;
  applyNodeAttributes(toDirFd, to, attributesOf(stat), kind);
}

/** Runs changes inside a directory and puts its times back: they are the image's, not ours. */
export function keepingTimes<Result>(dirFd: number, change: () => Result): Result {
  const { mtimeSeconds, mtimeNanoseconds } = statFd(dirFd);
  try {
    return change();
  } finally {
    setTimes(dirFd, mtimeSeconds, mtimeNanoseconds);
  }
}

/** Those that statx(2) tells. */
export function attributesOf(stat: NodeStat): NodeAttributes {
  const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = stat;
  return { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs: [] };
}

function readXattrs(fd: number): NodeAttributes["xattrs"] {
  return listXattrs(fd)
    .filter(mayCopyXattr)
    .map((name) => ({ name, value: getXattr(fd, name) ?? Buffer.alloc(0) }));
}

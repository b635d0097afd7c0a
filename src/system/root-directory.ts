import { readdirSync, readlinkSync } from "node:fs";
import koffi from "koffi";
import { SystemError } from "../common/errors.ts";
import { type BytePath, quotePath } from "./byte-path.ts";
import {
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  errnoName,
  libc,
  O_CLOEXEC,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from "./libc.ts";

/**
 * File operations relative to directory descriptors, for trees whose names an attacker chose. A path is only ever looked
 * up by openat2 below a root descriptor; everything else takes one name in one open directory and never follows it.
 */

const lib = koffi.load("libc.so.6");
const fd = {
  openat: lib.func("int openat(int dirfd, const void *path, int flags, uint32_t mode)"),
  write: lib.func("long write(int fd, const void *buf, size_t len)"),
  fchown: lib.func("int fchown(int fd, uint32_t uid, uint32_t gid)"),
  fchmod: lib.func("int fchmod(int fd, uint32_t mode)"),
  futimens: lib.func("int futimens(int fd, const void *times)"),
  close: lib.func("int close(int fd)"),
  statx: lib.func("int statx(int dirfd, const void *path, int flags, uint32_t mask, _Out_ uint8_t *buf)"),
};

const O_WRONLY = 0o1;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NONBLOCK = 0o4000;
// The two differ between architectures: x86-64 and arm64 swapped them.
const O_DIRECTORY = process.arch === "arm64" ? 0o40000 : 0o200000;
const O_NOFOLLOW = process.arch === "arm64" ? 0o100000 : 0o400000;
const SYS_openat2 = 437;

/** What stands at a name. */
export type NodeKind = "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";

/** statx(2) of one name, never of what a link points to. */
export interface NodeStat {
  readonly kind: NodeKind;
  /** Permission bits with setuid, setgid and sticky: 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: bigint;
  readonly linkCount: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

const kinds = new Map<number, NodeKind>([
  [0o10, "file"],
  [0o04, "directory"],
  [0o12, "symlink"],
  [0o02, "char"],
  [0o06, "block"],
  [0o01, "fifo"],
  [0o14, "socket"],
]);

/** Reused by every call of this thread; one call needs two names at most. */
const scratch = [Buffer.alloc(4097), Buffer.alloc(4097)] as const;
const openHow = Buffer.alloc(24);
const times = Buffer.alloc(32);
const statBuffer = Buffer.alloc(256);

function bytes(path: BytePath, which: 0 | 1 = 0): Buffer {
  if (path.length > 4095) throw new SystemError(`path ${quotePath(path)}: ENAMETOOLONG`, { errno: "ENAMETOOLONG" });
  const buffer = scratch[which];
  buffer[buffer.write(path, 0, "latin1")] = 0;
  return buffer;
}

function succeed(result: number, action: string, name: BytePath): number {
  if (result >= 0) return result;
  const errno = errnoName(koffi.errno());
  throw new SystemError(`${action} ${quotePath(name)}: ${errno}`, { errno });
}

/** Opens the directory that bounds a tree. The path is ours, not an attacker's. */
export function openRoot(path: string): number {
  const name = Buffer.from(path).toString("latin1");
  return succeed(fd.openat(-100, bytes(name), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0), "open root", name);
}

/**
 * Opens a directory below the root by a path without links.
 * @param path clean relative path; "" is the root itself
 * @returns undefined when it does not exist, or when a component is a symbolic link or no directory
 */
export function openDirectoryIn(rootFd: number, path: BytePath): number | undefined {
  openHow.writeBigUInt64LE(BigInt(O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), 0);
  openHow.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS), 16);
  const result = Number(libc.openat2(SYS_openat2, rootFd, bytes(path === "" ? "." : path), openHow, openHow.length));
  if (result >= 0) return result;
  const errno = errnoName(koffi.errno());
  if (errno === "ENOENT" || errno === "ELOOP" || errno === "ENOTDIR") return undefined;
  throw new SystemError(`open directory ${quotePath(path)} in its root: ${errno}`, { errno });
}

export function closeFd(descriptor: number): void {
  fd.close(descriptor);
}

/** @returns undefined when nothing stands at the name */
export function statAt(dirFd: number, name: BytePath): NodeStat | undefined {
  const AT_NO_AUTOMOUNT = 0x800;
  const result = fd.statx(dirFd, bytes(name), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0x7ff, statBuffer);
  if (result < 0 && errnoName(koffi.errno()) === "ENOENT") return undefined;
  succeed(result, "look at", name);
  return decodeStat();
}

/** statx(2) of an open descriptor. */
export function statFd(descriptor: number): NodeStat {
  const AT_EMPTY_PATH = 0x1000;
  succeed(fd.statx(descriptor, bytes(""), AT_EMPTY_PATH, 0x7ff, statBuffer), "look at", "");
  return decodeStat();
}

/** struct statx has one layout on every architecture. */
function decodeStat(): NodeStat {
  const mode = statBuffer.readUInt16LE(28);
  return {
    kind: kinds.get(mode >> 12) ?? "file",
    mode: mode & 0o7777,
    uid: statBuffer.readUInt32LE(20),
    gid: statBuffer.readUInt32LE(24),
    inode: statBuffer.readBigUInt64LE(32),
    linkCount: statBuffer.readUInt32LE(16),
    sizeBytes: Number(statBuffer.readBigUInt64LE(40)),
    mtimeSeconds: Number(statBuffer.readBigInt64LE(112)),
    mtimeNanoseconds: statBuffer.readUInt32LE(120),
    deviceMajor: statBuffer.readUInt32LE(128),
    deviceMinor: statBuffer.readUInt32LE(132),
  };
}

/** Makes a new regular file and opens it for writing. @returns undefined when the name is taken */
export function createFileAt(dirFd: number, name: BytePath): number | undefined {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  return unlessTaken(fd.openat(dirFd, bytes(name), flags, 0o600), "create file", name);
}

/** Opens what is known to be a regular file or directory; never blocks on a fifo and never follows a link. */
export function openAt(dirFd: number, name: BytePath, access: "read" | "write" | "path"): number {
  const how = access === "write" ? O_WRONLY : access === "path" ? O_PATH : 0;
  return succeed(fd.openat(dirFd, bytes(name), how | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0), "open", name);
}

/** @returns false when the name is taken */
export function makeDirectoryAt(dirFd: number, name: BytePath, mode: number): boolean {
  return unlessTaken(libc.mkdirat(dirFd, bytes(name), mode), "make directory", name) !== undefined;
}

/** @returns false when the name is taken */
export function makeSymlinkAt(dirFd: number, name: BytePath, target: BytePath): boolean {
  const result = libc.symlinkat(bytes(target, 1), dirFd, bytes(name));
  return unlessTaken(result, "make symbolic link", name) !== undefined;
}

/** Links without following either name. @returns false when the new name is taken */
export function makeLinkAt(fromFd: number, from: BytePath, dirFd: number, name: BytePath): boolean {
  return unlessTaken(libc.linkat(fromFd, bytes(from, 1), dirFd, bytes(name), 0), "link", name) !== undefined;
}

/**
 * Makes a device node or a fifo.
 * @param numbers ignored for a fifo; char 0:0 is overlayfs's whiteout
 * @returns false when the name is taken
 */
export function makeNodeAt(
  dirFd: number,
  name: BytePath,
  kind: "char" | "block" | "fifo",
  numbers: { readonly major: number; readonly minor: number },
): boolean {
  const type = kind === "char" ? 0o020000 : kind === "block" ? 0o060000 : 0o010000;
  const { major, minor } = kind === "fifo" ? { major: 0, minor: 0 } : numbers;
  // glibc's encoding of dev_t, makedev(3); majors here have 12 bits and minors 20, so one 32-bit word holds both.
  const device = (minor & 0xff) + (major & 0xfff) * 0x100 + Math.floor(minor / 0x100) * 0x100000;
  return unlessTaken(libc.mknodat(dirFd, bytes(name), type | 0o600, device), `make ${kind}`, name) !== undefined;
}

export function renameAt(fromFd: number, from: BytePath, toFd: number, to: BytePath): void {
  succeed(libc.renameat(fromFd, bytes(from, 1), toFd, bytes(to)), "rename", from);
}

/** Removes one name that is no directory. */
export function unlinkAt(dirFd: number, name: BytePath): void {
  succeed(libc.unlinkat(dirFd, bytes(name), 0), "remove", name);
}

export function readLinkAt(dirFd: number, name: BytePath): BytePath {
  return readlinkSync(Buffer.from(`/proc/self/fd/${dirFd}/${name}`, "latin1"), "latin1");
}

/** The names in an open directory, in no order. */
export function listNames(dirFd: number): BytePath[] {
  return readdirSync(`/proc/self/fd/${dirFd}`, "latin1");
}

/**
 * Removes a name and all below it; absent counts as done. Yields now and then so that a caller on the event loop can
 * let others run; drain it at once elsewhere.
 * @param onRemove told of each removed path, relative to the name: "" for itself, then "/a", "/a/b"
 */
export function* removeTreeAt(
  dirFd: number,
  name: BytePath,
  onRemove?: (below: BytePath) => void,
  below: BytePath = "",
): Generator<void, void, undefined> {
  onRemove?.(below);
  if (libc.unlinkat(dirFd, bytes(name), 0) === 0) return;
  const errno = errnoName(koffi.errno());
  if (errno === "ENOENT") return;
  if (errno !== "EISDIR" && errno !== "EPERM") {
    throw new SystemError(`remove ${quotePath(name)}: ${errno}`, { errno });
  }
  const child = openDirectoryIn(dirFd, name);
  if (child === undefined) return;
  try {
    for (const [index, entry] of listNames(child).entries()) {
      yield* removeTreeAt(child, entry, onRemove, `${below}/${entry}`);
      if (index % 64 === 63) yield;
    }
  } finally {
    closeFd(child);
  }
  yield;
  succeed(libc.unlinkat(dirFd, bytes(name), AT_REMOVEDIR), "remove directory", name);
}

/** Writes all of the bytes. */
export function writeAll(descriptor: number, data: Uint8Array): void {
  let rest = data;
  while (rest.length > 0) {
    const written = Number(fd.write(descriptor, rest, rest.length));
    if (written < 0 && errnoName(koffi.errno()) === "EINTR") continue;
    succeed(written, "write", "");
    if (written === rest.length) return;
    rest = rest.subarray(written);
  }
}

export function setOwner(descriptor: number, uid: number, gid: number): void {
  succeed(fd.fchown(descriptor, uid, gid), "change owner", "");
}

/** Changes the owner of a name, of a link itself and not of its target. */
export function setOwnerAt(dirFd: number, name: BytePath, uid: number, gid: number): void {
  succeed(libc.fchownat(dirFd, bytes(name), uid, gid, AT_SYMLINK_NOFOLLOW), "change owner of", name);
}

export function setMode(descriptor: number, mode: number): void {
  succeed(fd.fchmod(descriptor, mode), "change mode", "");
}

/** Only for a name just made here: fchmodat follows links. */
export function setNodeModeAt(dirFd: number, name: BytePath, mode: number): void {
  succeed(libc.fchmodat(dirFd, bytes(name), mode, 0), "change mode of", name);
}

/** Sets access and modification time alike. */
export function setTimes(descriptor: number, seconds: number, nanoseconds: number): void {
  succeed(fd.futimens(descriptor, encodeTimes(seconds, nanoseconds)), "set times", "");
}

/** Sets access and modification time of a name, of a link itself and not of its target. */
export function setTimesAt(dirFd: number, name: BytePath, seconds: number, nanoseconds: number): void {
  const encoded = encodeTimes(seconds, nanoseconds);
  succeed(libc.utimensat(dirFd, bytes(name), encoded, AT_SYMLINK_NOFOLLOW), "set times of", name);
}

function encodeTimes(seconds: number, nanoseconds: number): Buffer {
  for (const offset of [0, 16]) {
    times.writeBigInt64LE(BigInt(seconds), offset);
    times.writeInt32LE(nanoseconds, offset + 8);
  }
  return times;
}

function unlessTaken(result: number, action: string, name: BytePath): number | undefined {
  if (result < 0 && errnoName(koffi.errno()) === "EEXIST") return undefined;
  return succeed(result, action, name);
}

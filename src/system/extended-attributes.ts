import koffi from "koffi";
import { SystemError } from "../common/errors.ts";
import type { BytePath } from "./byte-path.ts";
import { errnoName } from "./libc.ts";

/** Extended attributes with names as bytes, on descriptors and on names that must not be followed. */

const lib = koffi.load("libc.so.6");
const libc = {
  fset: lib.func("int fsetxattr(int fd, const void *name, const void *value, size_t size, int flags)"),
  lset: lib.func("int lsetxattr(const void *path, const void *name, const void *value, size_t size, int flags)"),
  fget: lib.func("long fgetxattr(int fd, const void *name, _Out_ uint8_t *value, size_t size)"),
  flist: lib.func("long flistxattr(int fd, _Out_ uint8_t *list, size_t size)"),
};

/** The kernel's own limit for one value and for the list of names, xattr(7). */
const received = Buffer.alloc(65_536);

/** Whether a SystemError says that the file system, or the kind of file, can't have such an attribute. */
export function isUnsupported(error: unknown): boolean {
  // One number, two names: which of them a table gives back is chance.
  return error instanceof SystemError && (error.errno === "EOPNOTSUPP" || error.errno === "ENOTSUP");
}

/** @throws SystemError, see {@link isUnsupported} */
export function setXattr(descriptor: number, name: BytePath, value: Uint8Array): void {
  succeed(libc.fset(descriptor, cName(name), value, value.length, 0), name);
}

/** Sets an attribute of what stands at a name, without following it. */
export function setXattrAt(dirFd: number, fileName: BytePath, name: BytePath, value: Uint8Array): void {
  // There is no *at form before Linux 6.13; the descriptor's own entry in /proc is one.
  const path = cName(`/proc/self/fd/${dirFd}/${fileName}`);
  succeed(libc.lset(path, cName(name), value, value.length, 0), name);
}

/** @returns undefined when the file has no such attribute */
export function getXattr(descriptor: number, name: BytePath): Buffer | undefined {
  const length = Number(libc.fget(descriptor, cName(name), received, received.length));
  if (length >= 0) return Buffer.from(received.subarray(0, length));
  const error = failure(name);
  if (error.errno === "ENODATA" || isUnsupported(error)) return undefined;
  throw error;
}

/** The names of an open file's attributes. */
export function listXattrs(descriptor: number): readonly BytePath[] {
  const length = Number(libc.flist(descriptor, received, received.length));
  if (length >= 0) return received.toString("latin1", 0, length).split("\0").slice(0, -1);
  const error = failure("*");
  if (isUnsupported(error)) return [];
  throw error;
}

function cName(name: BytePath): Buffer {
  return Buffer.from(`${name}\0`, "latin1");
}

function succeed(result: number, name: BytePath): void {
  if (result < 0) throw failure(name);
}

function failure(name: BytePath): SystemError {
  const errno = errnoName(koffi.errno());
  return new SystemError(`extended attribute ${JSON.stringify(name)}: ${errno}`, { errno });
}

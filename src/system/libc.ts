import { constants as os } from "node:os";
import koffi from "koffi";
import { SystemError } from "../common/errors.ts";

/** System calls that Node does not offer, as thin synchronous bindings. A negative result becomes a SystemError. */

const lib = koffi.load("libc.so.6");
const errnoNames = new Map<number, string>(Object.entries(os.errno).map(([name, number]) => [number, name]));

/** The symbolic name of an errno number, "E<number>" if unknown. */
export function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `E${errno}`;
}

/**
 * Turns a negative result into a SystemError that names the step.
 * @param step what was being done, with the path it was done to
 */
export function check(result: number, step: string): number {
  if (result >= 0) return result;
  const errno = errnoName(koffi.errno());
  throw new SystemError(`${step}: ${errno}`, { errno });
}

/** A path or name as libc takes it: bytes with one NUL at the end. Names in images are bytes, not text. */
export function cString(path: string | Uint8Array): Buffer {
  return Buffer.concat([typeof path === "string" ? Buffer.from(path) : path, Buffer.of(0)]);
}

export const libc = {
  mount: lib.func("int mount(const char *source, const char *target, const char *type, ulong flags, const char *data)"),
  umount2: lib.func("int umount2(const char *target, int flags)"),
  setns: lib.func("int setns(int fd, int nstype)"),
  unshare: lib.func("int unshare(int flags)"),
  sethostname: lib.func("int sethostname(const char *name, size_t len)"),
  socket: lib.func("int socket(int domain, int type, int protocol)"),
  bind: lib.func("int bind(int fd, const void *addr, uint32_t len)"),
  connect: lib.func("int connect(int fd, const void *addr, uint32_t len)"),
  poll: lib.func("int poll(_Inout_ void *fds, ulong count, int timeout)"),
  send: lib.func("long send(int fd, const void *buf, size_t len, int flags)"),
  recv: lib.func("long recv(int fd, _Out_ uint8_t *buf, size_t len, int flags)"),
  /** Only for descriptors these bindings made: Node keeps books on its own. */
  close: lib.func("int close(int fd)"),
  _exit: lib.func("void _exit(int status)"),
  setsockopt: lib.func("int setsockopt(int fd, int level, int name, const void *value, uint32_t len)"),
  getsockopt: lib.func("int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ void *len)"),
  syncfs: lib.func("int syncfs(int fd)"),
  flock: lib.func("int flock(int fd, int operation)"),
  fcntl: lib.func("int fcntl(int fd, int command, int argument)"),
  mkfifoat: lib.func("int mkfifoat(int dirfd, const void *path, uint32_t mode)"),
  mknodat: lib.func("int mknodat(int dirfd, const void *path, uint32_t mode, uint64_t dev)"),
  mkdirat: lib.func("int mkdirat(int dirfd, const void *path, uint32_t mode)"),
  linkat: lib.func("int linkat(int fromfd, const void *from, int tofd, const void *to, int flags)"),
  symlinkat: lib.func("int symlinkat(const void *target, int dirfd, const void *path)"),
  unlinkat: lib.func("int unlinkat(int dirfd, const void *path, int flags)"),
  renameat: lib.func("int renameat(int fromfd, const void *from, int tofd, const void *to)"),
  fchownat: lib.func("int fchownat(int dirfd, const void *path, uint32_t uid, uint32_t gid, int flags)"),
  fchmodat: lib.func("int fchmodat(int dirfd, const void *path, uint32_t mode, int flags)"),
  utimensat: lib.func("int utimensat(int dirfd, const void *path, const void *times, int flags)"),
  readlinkat: lib.func("long readlinkat(int dirfd, const void *path, _Out_ uint8_t *buf, size_t size)"),
  lsetxattr: lib.func("int lsetxattr(const void *path, const char *name, const void *value, size_t size, int flags)"),
  fsetxattr: lib.func("int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)"),
  lgetxattr: lib.func("long lgetxattr(const void *path, const char *name, _Out_ uint8_t *value, size_t size)"),
  llistxattr: lib.func("long llistxattr(const void *path, _Out_ uint8_t *list, size_t size)"),
  /** openat2 has no libc wrapper in Debian 12; 437 is its number on every architecture. */
  openat2: lib.func("syscall", "long", ["long", "int", "const void *", "const void *", "size_t"]),
} as const;

export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;

export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;

const SYS_openat2 = 437;
/** A try takes microseconds and fails by a rename or mount within them: so many in a row are somebody's attack. */
const openat2Tries = 10_000;
const openHow = Buffer.alloc(24);

/**
 * openat2(2): opens a path with the root directory as an absolute boundary (or as `resolve` says). A path with ".." is
 * tried again when the kernel can't tell where that led, because something was renamed or mounted on the machine meanwhile.
 * @param rootFd directory descriptor that ".." and absolute links can't leave
 * @returns a descriptor the caller closes
 * @throws SystemError
 */
export function openat2(
  rootFd: number,
  path: string | Uint8Array,
  flags: number,
  mode: number,
  resolve: number,
): number {
  openHow.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  openHow.writeBigUInt64LE(BigInt(mode), 8);
  openHow.writeBigUInt64LE(BigInt(resolve), 16);
  const name = cString(path);
  let result = -1;
  for (let tries = 0; tries < openat2Tries; tries++) {
    result = Number(libc.openat2(SYS_openat2, rootFd, name, openHow, openHow.length));
    if (result >= 0 || koffi.errno() !== os.errno.EAGAIN) break;
  }
  return check(result, `open ${JSON.stringify(Buffer.from(path).toString("latin1").slice(0, 300))} in its root`);
}

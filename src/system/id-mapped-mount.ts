import { closeSync, openSync } from "node:fs";
import koffi from "koffi";
import { AT_EMPTY_PATH, AT_FDCWD, check, cString, O_CLOEXEC } from "./libc.ts";

/**
 * Mounts that show files as owned by other ids (mount_setattr(2), Linux 5.12). The calls have no libc wrapper in Debian
 * 12; their numbers are the same on every architecture.
 */

const lib = koffi.load("libc.so.6");
const openTree = lib.func("syscall", "long", ["long", "int", "const void *", "uint"]);
const moveMount = lib.func("syscall", "long", ["long", "int", "const void *", "int", "const void *", "uint"]);
const mountSetattr = lib.func("syscall", "long", ["long", "int", "const void *", "uint", "const void *", "size_t"]);

const SYS_open_tree = 428;
const SYS_move_mount = 429;
const SYS_mount_setattr = 442;
const OPEN_TREE_CLONE = 1;
const AT_RECURSIVE = 0x8000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const MOUNT_ATTR_IDMAP = 0x00100000n;
const mountAttrBytes = 32;

/**
 * Binds a file or directory, with what is mounted below it when `recursive`, so that its owners are those that the user
 * namespace maps theirs to.
 * @param userns file of a user namespace, such as its pin
 * @throws SystemError EINVAL when a file system below the source can't map ids; then nothing is mounted
 */
export function bindIdMapped(source: string, target: string, userns: string, recursive: boolean): void {
  using clean = new DisposableStack();
  const names = openSync(userns, "r");
  clean.defer(() => closeSync(names));
  const depth = recursive ? AT_RECURSIVE : 0;
  const treeFlags = OPEN_TREE_CLONE | O_CLOEXEC | depth;
  const step = `map the ids of "${source}"`;
  const tree = check(Number(openTree(SYS_open_tree, AT_FDCWD, cString(source), treeFlags)), `${step}: clone its mount`);
  clean.defer(() => closeSync(tree));
  const attributes = Buffer.alloc(mountAttrBytes);
  attributes.writeBigUInt64LE(MOUNT_ATTR_IDMAP, 0);
  attributes.writeBigUInt64LE(BigInt(names), 24);
  const nothing = cString("");
  const flags = AT_EMPTY_PATH | depth;
  check(Number(mountSetattr(SYS_mount_setattr, tree, nothing, flags, attributes, mountAttrBytes)), step);
  const moved = moveMount(SYS_move_mount, tree, nothing, AT_FDCWD, cString(target), MOVE_MOUNT_F_EMPTY_PATH);
  check(Number(moved), `${step}: mount it on "${target}"`);
}

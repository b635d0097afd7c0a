import type { BytePath } from "../system/byte-path.ts";
import { isUnsupported, setXattr, setXattrAt } from "../system/extended-attributes.ts";
import { setMode, setNodeModeAt, setOwner, setOwnerAt, setTimesAt } from "../system/root-directory.ts";
import type { NodeAttributes } from "./plan-unpack.ts";

/**
 * Sets owner, extended attributes and mode of an open file or directory, in the one order that works: a change of owner
 * takes setuid bits and capabilities away, and an ACL rewrites the group's bits.
 */
export function applyAttributes(fd: number, attributes: NodeAttributes): void {
  setOwner(fd, attributes.uid, attributes.gid);
  for (const { name, value } of attributes.xattrs) applyXattr(name, () => setXattr(fd, name, value));
  setMode(fd, attributes.mode);
}

/** The same for a node just made at a name, which is never opened nor followed; and its times. */
export function applyNodeAttributes(
  dirFd: number,
  name: BytePath,
  attributes: NodeAttributes,
  kind: "symlink" | "char" | "block" | "fifo",
): void {
  if (attributes.uid !== 0 || attributes.gid !== 0) setOwnerAt(dirFd, name, attributes.uid, attributes.gid);
  for (const { name: key, value } of attributes.xattrs) applyXattr(key, () => setXattrAt(dirFd, name, key, value));
  // A symbolic link has no mode of its own on Linux, symlink(7).
  if (kind !== "symlink") setNodeModeAt(dirFd, name, attributes.mode);
  setTimesAt(dirFd, name, attributes.mtimeSeconds, attributes.mtimeNanoseconds);
}

function applyXattr(name: BytePath, set: () => void): void {
  try {
    set();
  } catch (error) {
    // A store without user attributes or ACLs still runs the image; without a capability the program would fail oddly.
    if (isUnsupported(error) && name !== "security.capability") return;
    throw error;
  }
}

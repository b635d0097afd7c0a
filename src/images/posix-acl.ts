/** Kinds of entries, include/uapi/linux/posix_acl.h, in the only order that the kernel takes. */
const [userObject, user, groupObject, group, mask, other] = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20];
const order = [userObject, user, groupObject, group, mask, other];
const version = 2;
const headerBytes = 4;
const entryBytes = 8;

/**
 * Whether a `system.posix_acl_*` value is a whole access control list as setxattr(2) takes it: owner, users, group,
 * groups, mask, others; a mask where users or groups are named. Looked at before it is stored, for not every store looks.
 */
export function isPosixAcl(value: Buffer): boolean {
  if (value.length <= headerBytes || (value.length - headerBytes) % entryBytes !== 0) return false;
  if (value.readUInt32LE(0) !== version) return false;
  const counts = new Map<number, number>();
  let last = 0;
  for (let offset = headerBytes; offset < value.length; offset += entryBytes) {
    const tag = value.readUInt16LE(offset);
    const rank = order.indexOf(tag);
    if (rank < last || value.readUInt16LE(offset + 2) > 7) return false;
    if ((tag === user || tag === group) && value.readUInt32LE(offset + 4) === 0xffff_ffff) return false;
    last = rank;
    counts.set(tag, (counts.get(tag) ?? 0) + 1);
  }
  const count = (tag: number) => counts.get(tag) ?? 0;
  const needsMask = count(user) + count(group) > 0;
  return (
    [userObject, groupObject, other].every((tag) => count(tag) === 1) &&
    count(mask) <= 1 &&
    (!needsMask || count(mask) === 1)
  );
}

/**
 * What becomes of a whole access list when its file gets this mode, as chmod(2) does it: owner, mask (without one, group)
 * and others have what the mode says.
 * @returns undefined for a list that says no more than a mode: no file system keeps it
 */
export function aclUnderMode(value: Buffer, mode: number): Buffer | undefined {
  const tags: number[] = [];
  for (let offset = headerBytes; offset < value.length; offset += entryBytes) tags.push(value.readUInt16LE(offset));
  if (tags.length === [userObject, groupObject, other].length) return undefined;
  const groupTag = tags.includes(mask) ? mask : groupObject;
  const changed = Buffer.from(value);
  for (const [index, tag] of tags.entries()) {
    const at = headerBytes + index * entryBytes + 2;
    if (tag === userObject) changed.writeUInt16LE((mode >> 6) & 7, at);
    else if (tag === groupTag) changed.writeUInt16LE((mode >> 3) & 7, at);
    else if (tag === other) changed.writeUInt16LE(mode & 7, at);
  }
  return changed;
}

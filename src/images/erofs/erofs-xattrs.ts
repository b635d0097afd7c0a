import { oversizedLayer } from "../layer-error.ts";
import type { NodeAttributes } from "../plan-unpack.ts";

const headerBytes = 12;
const entryHeaderBytes = 4;
const maxValueBytes = 0xffff;
/** What the inode's 16-bit count of 4-byte units can tell. */
const maxAreaBytes = headerBytes + 0xfffe * 4;

/** Name prefixes that the format writes as a number, longest first where one holds another. */
const prefixes = [
  { index: 2, text: "system.posix_acl_access", isWhole: true },
  { index: 3, text: "system.posix_acl_default", isWhole: true },
  { index: 1, text: "user.", isWhole: false },
  { index: 4, text: "trusted.", isWhole: false },
  { index: 6, text: "security.", isWhole: false },
] as const;

/** Bytes that extended attributes take behind their inode; a multiple of 4, 0 without any. */
export function xattrAreaBytes(xattrs: NodeAttributes["xattrs"]): number {
  if (xattrs.length === 0) return 0;
  let bytes = headerBytes;
  for (const { name, value } of xattrs) {
    if (value.length > maxValueBytes) {
      throw oversizedLayer(`an extended attribute has ${value.length} bytes: ${maxValueBytes} are allowed`);
    }
    bytes += roundUp4(entryHeaderBytes + splitName(name).rest.length + value.length);
  }
  if (bytes > maxAreaBytes) {
    throw oversizedLayer(`a file's extended attributes take ${bytes} bytes: ${maxAreaBytes} are allowed`);
  }
  return bytes;
}

/** The inode's count of 4-byte units for an area of this size, as EROFS counts: the header as one unit. */
export function xattrUnits(areaBytes: number): number {
  return areaBytes === 0 ? 0 : (areaBytes - headerBytes) / 4 + 1;
}

/** Writes the area (struct erofs_xattr_ibody_header, then one struct erofs_xattr_entry each) into zeroed bytes. */
export function encodeXattrs(into: Buffer, offset: number, xattrs: NodeAttributes["xattrs"]): void {
  let at = offset + headerBytes;
  for (const { name, value } of xattrs) {
    const { index, rest } = splitName(name);
    into[at] = rest.length;
    into[at + 1] = index;
    into.writeUInt16LE(value.length, at + 2);
    into.write(rest, at + entryHeaderBytes, "latin1");
    value.copy(into, at + entryHeaderBytes + rest.length);
    at += roundUp4(entryHeaderBytes + rest.length + value.length);
  }
}

function splitName(name: string): { readonly index: number; readonly rest: string } {
  for (const { index, text, isWhole } of prefixes) {
    if (isWhole ? name === text : name.startsWith(text)) return { index, rest: name.slice(text.length) };
  }
  throw new RangeError(`EROFS has no number for the extended attribute "${name}"`);
}

function roundUp4(bytes: number): number {
  return (bytes + 3) & ~3;
}

import { encodeXattrs, xattrAreaBytes, xattrUnits } from "./erofs-xattrs.ts";
import type { IndexNode } from "./index-node.ts";

/** Nids count in slots of this size. */
export const slotBytes = 32;
/** struct erofs_inode_extended: the form with 32-bit owners and times of its own. */
export const inodeHeadBytes = 64;

const chunkIndexBytes = 8;
/** The chunk size's exponent over the block size's has 5 bits. */
const maxChunkShift = 31;
const chunkIndexes = 0x20;
const dataDevice = 1;
const layoutPlain = 0;
const layoutChunks = 4;

const typeBits = {
  fifo: 0o010000,
  char: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
} as const satisfies Record<IndexNode["kind"], number>;

/** What the layout knows of an inode beyond its node. */
export interface InodeFacts {
  readonly number: number;
  readonly linkCount: number;
  /** Bytes of the node's own blocks in the index: a directory's entries, a link's target. */
  readonly dataBytes: number;
  readonly dataBlock: number;
}

/** Bytes that a node's inode takes with its attributes and chunk table. */
export function inodeBytes(node: IndexNode, blockBits: number): number {
  const bytes = inodeHeadBytes + xattrAreaBytes(node.attributes.xattrs);
  if (node.kind !== "file" || node.sizeBytes === 0) return bytes;
  return roundUp8(bytes) + chunkCount(node.sizeBytes, blockBits) * chunkIndexBytes;
}

/** Writes an inode into zeroed bytes of {@link inodeBytes} length. */
export function encodeInode(into: Buffer, offset: number, node: IndexNode, facts: InodeFacts, blockBits: number): void {
  const { attributes } = node;
  const xattrBytes = xattrAreaBytes(attributes.xattrs);
  const hasChunks = node.kind === "file" && node.sizeBytes > 0;
  const permissions = node.kind === "symlink" ? 0o777 : attributes.mode;
  into.writeUInt16LE(1 | ((hasChunks ? layoutChunks : layoutPlain) << 1), offset);
  into.writeUInt16LE(xattrUnits(xattrBytes), offset + 2);
  into.writeUInt16LE(typeBits[node.kind] | permissions, offset + 4);
  into.writeBigUInt64LE(BigInt(node.kind === "file" ? node.sizeBytes : facts.dataBytes), offset + 8);
  into.writeUInt32LE(unionField(node, facts, blockBits), offset + 16);
  into.writeUInt32LE(facts.number, offset + 20);
  into.writeUInt32LE(attributes.uid, offset + 24);
  into.writeUInt32LE(attributes.gid, offset + 28);
  into.writeBigInt64LE(BigInt(attributes.mtimeSeconds), offset + 32);
  into.writeUInt32LE(attributes.mtimeNanoseconds, offset + 40);
  into.writeUInt32LE(facts.linkCount, offset + 44);
  if (xattrBytes > 0) encodeXattrs(into, offset + inodeHeadBytes, attributes.xattrs);
  if (hasChunks) encodeChunks(into, offset + roundUp8(inodeHeadBytes + xattrBytes), node, blockBits);
}

/** The field that means a device, a chunk format or the first data block. */
function unionField(node: IndexNode, facts: InodeFacts, blockBits: number): number {
  switch (node.kind) {
    case "char":
    case "block":
      return encodeDevice(node.numbers.major, node.numbers.minor);
    case "file":
      return node.sizeBytes === 0 ? 0 : chunkIndexes | chunkShift(node.sizeBytes, blockBits);
    case "fifo":
      return 0;
    default:
      return facts.dataBlock;
  }
}

/** The kernel's new_encode_dev, include/linux/kdev_t.h. */
function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function encodeChunks(
  into: Buffer,
  offset: number,
  file: { readonly sizeBytes: number; readonly contentOffsetBytes: number },
  blockBits: number,
): void {
  const firstBlock = file.contentOffsetBytes / 2 ** blockBits;
  if (!Number.isInteger(firstBlock)) {
    throw new RangeError(`content at byte ${file.contentOffsetBytes} does not begin a block of ${2 ** blockBits}`);
  }
  const blocksPerChunk = 2 ** chunkShift(file.sizeBytes, blockBits);
  for (let chunk = 0; chunk < chunkCount(file.sizeBytes, blockBits); chunk++) {
    const at = offset + chunk * chunkIndexBytes;
    into.writeUInt16LE(dataDevice, at + 2);
    into.writeUInt32LE(firstBlock + chunk * blocksPerChunk, at + 4);
  }
}

/** Content is in one piece, so the best chunk is the smallest that takes all of it. */
function chunkShift(sizeBytes: number, blockBits: number): number {
  let shift = 0;
  while (shift < maxChunkShift && 2 ** (blockBits + shift) < sizeBytes) shift++;
  return shift;
}

function chunkCount(sizeBytes: number, blockBits: number): number {
  return Math.ceil(sizeBytes / 2 ** (blockBits + chunkShift(sizeBytes, blockBits)));
}

function roundUp8(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** Where the superblock stands in every EROFS image; the bytes before it are zero. */
const superblockOffset = 1024;
const superblockBytes = 128;
const deviceSlotBytes = 128;
/** Superblock and the one device slot behind it. */
export const headerBytes = superblockOffset + superblockBytes + deviceSlotBytes;

const magic = 0xe0f5e1e2;
const compatMtime = 0x2;
const incompatChunkedFile = 0x4;
const incompatDeviceTable = 0x8;

export interface SuperblockFacts {
  readonly blockBits: number;
  readonly rootNid: number;
  readonly inodeCount: number;
  /** Blocks of the index itself. */
  readonly blockCount: number;
  /** Blocks of the data file. */
  readonly dataBlockCount: number;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
}

/**
 * The bytes before the metadata: struct erofs_super_block and one struct erofs_deviceslot, as the kernel's
 * fs/erofs/erofs_fs.h has them. Block addresses have 32 bits: with blocks of 512 bytes the data file may have 2 TiB.
 * There is no checksum: it would cover this block alone, and what is read from a disk of ours is checked before the
 * index is recorded.
 */
export function encodeHeader(facts: SuperblockFacts): Buffer {
  const into = Buffer.alloc(headerBytes);
  const at = superblockOffset;
  into.writeUInt32LE(magic, at);
  into.writeUInt32LE(compatMtime, at + 8);
  into[at + 12] = facts.blockBits;
  into.writeUInt16LE(facts.rootNid, at + 14);
  into.writeBigUInt64LE(BigInt(facts.inodeCount), at + 16);
  into.writeUInt32LE(facts.blockCount, at + 36);
  into.set(facts.uuid.subarray(0, 16), at + 48);
  into.writeUInt32LE(incompatChunkedFile | incompatDeviceTable, at + 80);
  into.writeUInt16LE(1, at + 86);
  into.writeUInt16LE((superblockOffset + superblockBytes) / deviceSlotBytes, at + 88);
  into.writeUInt32LE(facts.dataBlockCount, at + superblockBytes + 64);
  return into;
}

import { writeAll } from "../../system/root-directory.ts";
import { encodeDirectory, sortedNames } from "./erofs-directory.ts";
import { encodeInode, inodeBytes, slotBytes } from "./erofs-inode.ts";
import { encodeHeader } from "./erofs-superblock.ts";
import type { IndexDirectory } from "./index-node.ts";
import { type ErofsLayout, type PlacedInode, planErofsLayout } from "./plan-erofs-layout.ts";

/** Tar aligns content to 512 bytes, so that is the block in which an index can point into one. */
export const tarBlockBits = 9;
const bufferBytes = 1_048_576;

export interface IndexOptions {
  /** Length of the data file. */
  readonly dataBytes: number;
  /** 16 bytes that tell this index from others, for overlayfs. */
  readonly uuid: Uint8Array;
  /** Default {@link tarBlockBits}. */
  readonly blockBits?: number;
}

/**
 * Writes an EROFS image that holds the metadata of a tree, with the content of its files in another file, the mount's
 * `device=`. This is our own writer because Debian's mkfs.erofs has no mode for it, and because the kernel trusts what
 * it mounts: an index never comes from outside. The same tree gives the same bytes.
 * @param fd open for writing, at its begin; left at the image's end
 * @returns the image's length
 * @throws AgentError ResourceExhausted for attributes beyond the format, SystemError
 */
export function writeErofsIndex(fd: number, root: IndexDirectory, options: IndexOptions): number {
  const layout = planErofsLayout(root, options.blockBits ?? tarBlockBits);
  const blockBytes = 2 ** layout.blockBits;
  const output = new PaddedOutput(fd);
  output.append(
    encodeHeader({
      blockBits: layout.blockBits,
      rootNid: layout.nids.get(root) ?? 0,
      inodeCount: layout.inodes.length,
      blockCount: layout.blockCount,
      dataBlockCount: Math.ceil(options.dataBytes / blockBytes),
      uuid: options.uuid,
    }),
  );
  for (const [index, inode] of layout.inodes.entries()) {
    output.padTo(inode.nid * slotBytes);
    const bytes = Buffer.alloc(inodeBytes(inode.node, layout.blockBits));
    encodeInode(bytes, 0, inode.node, { ...inode, number: index + 1 }, layout.blockBits);
    output.append(bytes);
  }
  for (const inode of layout.inodes) {
    if (inode.dataBytes === 0) continue;
    output.padTo(inode.dataBlock * blockBytes);
    output.append(ownData(inode, layout, blockBytes));
  }
  output.padTo(layout.blockCount * blockBytes);
  output.flush();
  return output.lengthBytes;
}

function ownData(inode: PlacedInode, layout: ErofsLayout, blockBytes: number): Buffer {
  const { node } = inode;
  if (node.kind === "symlink") return Buffer.from(node.target, "latin1");
  const bytes = Buffer.alloc(inode.dataBytes);
  if (node.kind !== "directory") return bytes;
  const entries = sortedNames(node.children).map((name) => {
    if (name === ".") return { name, nid: inode.nid, kind: node.kind };
    if (name === "..") return { name, nid: inode.parentNid, kind: node.kind };
    const child = node.children.get(name);
    const nid = child === undefined ? undefined : layout.nids.get(child);
    if (child === undefined || nid === undefined) throw new RangeError("a directory's name has no inode");
    return { name, nid, kind: child.kind };
  });
  encodeDirectory(bytes, 0, entries, blockBytes);
  return bytes;
}

/** Gathers small pieces into few writes, with zeros where nothing goes. */
class PaddedOutput {
  lengthBytes = 0;
  readonly #fd: number;
  readonly #buffer = Buffer.allocUnsafe(bufferBytes);
  #used = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  append(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const taken = bytes.copy(this.#buffer, this.#used, at);
      this.#advance(taken);
      at += taken;
    }
  }

  padTo(offset: number): void {
    while (this.lengthBytes < offset) {
      const taken = Math.min(offset - this.lengthBytes, bufferBytes - this.#used);
      this.#buffer.fill(0, this.#used, this.#used + taken);
      this.#advance(taken);
    }
  }

  flush(): void {
    if (this.#used > 0) writeAll(this.#fd, this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #advance(bytes: number): void {
    this.#used += bytes;
    this.lengthBytes += bytes;
    if (this.#used === bufferBytes) this.flush();
  }
}

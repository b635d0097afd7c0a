import { directoryBytes, sortedNames } from "./erofs-directory.ts";
import { inodeBytes, inodeHeadBytes, slotBytes } from "./erofs-inode.ts";
import { headerBytes } from "./erofs-superblock.ts";
import type { IndexDirectory, IndexNode } from "./index-node.ts";

/** Where one inode and its blocks go. */
export interface PlacedInode {
  readonly node: IndexNode;
  readonly nid: number;
  /** Of a directory: its parent's nid; the root is its own. Else 0. */
  readonly parentNid: number;
  readonly dataBytes: number;
  readonly dataBlock: number;
  readonly linkCount: number;
}

export interface ErofsLayout {
  readonly blockBits: number;
  /** In the order of their nids: the root first, then breadth first, each directory's names sorted. */
  readonly inodes: readonly PlacedInode[];
  readonly nids: ReadonlyMap<IndexNode, number>;
  readonly blockCount: number;
}

type Draft = { -readonly [Key in keyof PlacedInode]: PlacedInode[Key] };

/**
 * Gives every node of a tree its inode number and blocks: inodes close together in front, so that a walk over the tree
 * reads few pages, directories' entries and links' targets behind them. The same tree always gives the same layout.
 */
export function planErofsLayout(root: IndexDirectory, blockBits: number): ErofsLayout {
  const blockBytes = 2 ** blockBits;
  const drafts = new Map<IndexNode, Draft>();
  let offset = roundUp(headerBytes, blockBytes);
  const place = (node: IndexNode, parentNid: number): void => {
    const bytes = inodeBytes(node, blockBits);
    // A head across two blocks would cost the kernel two reads.
    if ((offset % blockBytes) + inodeHeadBytes > blockBytes) offset = roundUp(offset, blockBytes);
    const nid = offset / slotBytes;
    offset = roundUp(offset + bytes, slotBytes);
    const isDirectory = node.kind === "directory";
    drafts.set(node, {
      node,
      nid,
      parentNid: parentNid === 0 ? nid : parentNid,
      dataBytes: ownBytes(node, blockBytes),
      dataBlock: 0,
      linkCount: isDirectory ? 2 : 1,
    });
  };
  place(root, 0);
  // A map's iteration reaches what is added meanwhile: the walk's queue is the result itself.
  for (const { node, nid } of drafts.values()) {
    if (node.kind !== "directory") continue;
    for (const name of sortedNames(node.children)) {
      const child = node.children.get(name);
      if (child === undefined) continue;
      const known = drafts.get(child);
      if (known === undefined) place(child, nid);
      else known.linkCount++;
      if (child.kind === "directory") addLink(drafts, node);
    }
  }
  let block = Math.ceil(offset / blockBytes);
  for (const draft of drafts.values()) {
    if (draft.dataBytes === 0) continue;
    draft.dataBlock = block;
    block += Math.ceil(draft.dataBytes / blockBytes);
  }
  const inodes = [...drafts.values()];
  return { blockBits, inodes, nids: new Map(inodes.map(({ node, nid }) => [node, nid])), blockCount: block };
}

/** A directory's ".." is one more name of its parent. */
function addLink(drafts: ReadonlyMap<IndexNode, Draft>, parent: IndexNode): void {
  const draft = drafts.get(parent);
  if (draft !== undefined) draft.linkCount++;
}

function ownBytes(node: IndexNode, blockBytes: number): number {
  if (node.kind === "directory") return directoryBytes(sortedNames(node.children), blockBytes);
  return node.kind === "symlink" ? node.target.length : 0;
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}

import type { BytePath } from "../../system/byte-path.ts";
import type { NodeAttributes } from "../plan-unpack.ts";

/** A directory of an index. Its parent is known from the walk, so that a tree can be cut and joined freely. */
export interface IndexDirectory {
  readonly kind: "directory";
  readonly attributes: NodeAttributes;
  readonly children: ReadonlyMap<BytePath, IndexNode>;
}

/** A file whose content lies in the data file (the layer's tar), at a multiple of the block size. */
export interface IndexFile {
  readonly kind: "file";
  readonly attributes: NodeAttributes;
  readonly sizeBytes: number;
  readonly contentOffsetBytes: number;
}

export interface IndexSymlink {
  readonly kind: "symlink";
  readonly attributes: NodeAttributes;
  readonly target: BytePath;
}

export interface IndexSpecial {
  readonly kind: "char" | "block" | "fifo";
  readonly attributes: NodeAttributes;
  readonly numbers: { readonly major: number; readonly minor: number };
}

/** What an index can hold. One object under several names is one inode with as many hard links; never a directory. */
export type IndexNode = IndexDirectory | IndexFile | IndexSymlink | IndexSpecial;

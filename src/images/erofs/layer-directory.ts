import { type BytePath, joinPath } from "../../system/byte-path.ts";
import type { NodeAttributes } from "../plan-unpack.ts";
import type { IndexFile, IndexNode, IndexSpecial, IndexSymlink } from "./index-node.ts";

/** A name that links to a file which this layer does not have: the layers below must. */
export interface LowerLinkNode {
  readonly kind: "lower-link";
  readonly target: BytePath;
  /** Whether the layer put something of its own at the target after the link. */
  isOvertaken: boolean;
  /** Where in the archive's order it was made. */
  readonly order: number;
  /** Where it stands; a merge of directories moves it. */
  directory: LayerDirectory;
  readonly name: BytePath;
  /** What it turned out to be, once the layers below are known. */
  found?: IndexFile | IndexSymlink | IndexSpecial;
}

export type LayerNode = LayerDirectory | LowerLinkNode | Exclude<IndexNode, { readonly kind: "directory" }>;
export type LayerLeaf = IndexFile | IndexSymlink | IndexSpecial;

/** What a directory that no archive describes looks like, whenever and wherever it is made. */
export const impliedAttributes: NodeAttributes = {
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeSeconds: 0,
  mtimeNanoseconds: 0,
  xattrs: [],
};

/** A directory of a layer while its archive is read. */
export class LayerDirectory {
  readonly kind = "directory";
  /** undefined at the layer's root. */
  parent: LayerDirectory | undefined;
  readonly name: BytePath;
  readonly children = new Map<BytePath, LayerNode>();
  /** From an entry of its own; undefined while only others' paths imply it. */
  attributes: NodeAttributes | undefined;
  /** Whether it hides what the lower layers have in it. */
  isOpaque = false;
  /** Names in it whose lower content this layer hides, whatever it puts there itself. */
  readonly hidden = new Set<BytePath>();

  constructor(parent: LayerDirectory | undefined, name: BytePath) {
    this.parent = parent;
    this.name = name;
  }

  /** Its path without links; "" for the root. */
  get path(): BytePath {
    return this.parent === undefined ? "" : joinPath(this.parent.path, this.name);
  }
}

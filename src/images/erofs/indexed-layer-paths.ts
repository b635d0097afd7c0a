import { join } from "node:path";

/** The files of a layer that is kept as a tar and its index. */
export interface IndexedLayerPaths {
  /** The layer's content: its inflated tar, and behind it what it has of the layers below. */
  readonly data: string;
  readonly index: string;
  /** Where the two are mounted while somebody needs them. */
  readonly tree: string;
}

/** @param directory of the staged layer, or of the snapshot */
export function indexedLayerPaths(directory: string): IndexedLayerPaths {
  return { data: join(directory, "tar"), index: join(directory, "index"), tree: join(directory, "fs") };
}

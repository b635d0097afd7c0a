import type { Digest } from "../common/ids.ts";
import type { BytePath } from "../system/byte-path.ts";
import type { BlobSource } from "./blob-source.ts";
import type { SnapshotForm } from "./snapshot-form.ts";

/** One layer to unpack. Everything in it can be cloned to a worker thread. */
export interface LayerJob {
  readonly source: BlobSource;
  /** The layer's media type, OCI or Docker: it alone decides the compression. */
  readonly mediaType: string;
  /** Digest of the blob as the registry serves it. */
  readonly digest: Digest;
  /** Length of the blob as the manifest tells it. */
  readonly sizeBytes: number;
  /** Digest of the tar inside, as the image's config tells it. */
  readonly diffId: Digest;
  readonly chainId: Digest;
  readonly parentChainId: Digest | undefined;
}

/**
 * What a layer unpacked by itself can't know before its parents lie below it. Paths are relative to the layer's root,
 * without "." or ".." or symbolic links; "" is the root.
 */
export interface LayerFixUps {
  /** Directories without an entry of their own, parents first: the lower layers tell what they are. */
  readonly impliedDirectories: readonly BytePath[];
  /** Whiteouts, kept only where a lower layer has something to hide. */
  readonly whiteouts: readonly BytePath[];
  /** Hard links to a file that only a lower layer can have. An empty file stands at `path` until the commit. */
  readonly lowerLinks: readonly LowerLink[];
}

/** Whether only the layers below can settle something of this layer. */
export function hasFixUps({ impliedDirectories, whiteouts, lowerLinks }: LayerFixUps): boolean {
  return impliedDirectories.length + whiteouts.length + lowerLinks.length > 0;
}

export interface LowerLink {
  readonly path: BytePath;
  /** The target as the tar names it, cleaned; it may lead through symbolic links. */
  readonly target: BytePath;
  /** Whether the layer put something of its own at the target after the link: the link is to what was there before. */
  readonly overtaken: boolean;
}

/** A layer that is unpacked and verified, but not yet part of the store. */
export interface StagedLayer {
  /**
   * `<ingest>/<id>`: holds `fs`, the layer's tree, or the files of IndexedLayerPaths, without the index where there are
   * fix-ups. Whoever holds the StagedLayer commits or discards it.
   */
  readonly directory: string;
  readonly form: SnapshotForm;
  readonly chainId: Digest;
  readonly parentChainId: Digest | undefined;
  readonly diffId: Digest;
  /** Bytes of file content in the layer. */
  readonly contentBytes: number;
  /** Tar entries that made something. */
  readonly entryCount: number;
  /** Whether nothing of the layers below shows through: the layer is a new bottom. */
  readonly hidesLower: boolean;
  readonly fixUps: LayerFixUps;
}

/** What one layer may cost; a layer that wants more is refused. */
export interface LayerLimits {
  /** Bytes of the inflated tar. */
  readonly tarBytes: number;
  readonly entries: number;
}

export const defaultLayerLimits: LayerLimits = { tarBytes: 64 * 2 ** 30, entries: 2_000_000 };

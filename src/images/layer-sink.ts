import type { LayerFixUps } from "./layer-job.ts";
import type { TarConsumer } from "./tar-reader.ts";

/** What a layer came to. */
export interface FinishedLayer {
  readonly fixUps: LayerFixUps;
  readonly hidesLower: boolean;
}

/** What makes a staged layer of a tar, in one pass: each piece is kept first, then its entries are told to the consumer. */
export interface LayerSink extends Disposable {
  readonly consumer: TarConsumer & { readonly contentBytes: number; readonly nodeCount: number };
  /** Takes a piece of the archive, up to its end. */
  keep(piece: Uint8Array): void;
  /** After the last entry, once the archive is known to be the right one. */
  finish(): FinishedLayer;
}

export interface LayerSinkOptions {
  /** How many files and directories the layer may make. */
  readonly maxNodes: number;
  /** Whether layers lie below. */
  readonly hasParent: boolean;
}

import { closeSync, mkdirSync, openSync } from "node:fs";
import type { Digest } from "../../common/ids.ts";
import { writeAll } from "../../system/root-directory.ts";
import { hasFixUps } from "../layer-job.ts";
import type { FinishedLayer, LayerSink, LayerSinkOptions } from "../layer-sink.ts";
import { finishLayerTree } from "./finish-layer-tree.ts";
import { type IndexedLayerPaths, indexedLayerPaths } from "./indexed-layer-paths.ts";
import { LayerTree } from "./layer-tree.ts";
import { writeLayerIndex } from "./write-layer-index.ts";

/**
 * Keeps a layer as its tar, and writes the index as soon as it can: at once for a layer that asks nothing of the ones
 * below it, else when it is fitted onto them (fitIndexedLayer).
 */
export class IndexedLayerSink implements LayerSink {
  readonly consumer: LayerTree;
  readonly #paths: IndexedLayerPaths;
  readonly #dataFd: number;
  readonly #chainId: Digest;
  readonly #hasParent: boolean;

  constructor(directory: string, options: LayerSinkOptions & { readonly chainId: Digest }) {
    this.#paths = indexedLayerPaths(directory);
    this.#chainId = options.chainId;
    this.#hasParent = options.hasParent;
    mkdirSync(this.#paths.tree, { mode: 0o700 });
    this.#dataFd = openSync(this.#paths.data, "wx", 0o600);
    this.consumer = new LayerTree(options);
  }

  keep(piece: Uint8Array): void {
    writeAll(this.#dataFd, piece);
  }

  finish(): FinishedLayer {
    const { root, hidesLower, fixUps } = finishLayerTree(this.consumer.root, this.#hasParent);
    if (!hasFixUps(fixUps)) writeLayerIndex(this.#paths, this.#dataFd, root, this.#chainId);
    return { hidesLower, fixUps };
  }

  [Symbol.dispose](): void {
    closeSync(this.#dataFd);
  }
}

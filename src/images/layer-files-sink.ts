import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { closeFd, openRoot } from "../system/root-directory.ts";
import { finishLayer } from "./finish-layer.ts";
import type { FinishedLayer, LayerSink, LayerSinkOptions } from "./layer-sink.ts";
import { LayerWriter } from "./layer-writer.ts";

/** Unpacks a layer as files, into `<directory>/fs`. */
export class LayerFilesSink implements LayerSink {
  readonly consumer: LayerWriter;
  readonly #rootFd: number;
  readonly #hasParent: boolean;

  constructor(directory: string, options: LayerSinkOptions) {
    const tree = join(directory, "fs");
    mkdirSync(tree, { mode: 0o700 });
    this.#rootFd = openRoot(tree);
    this.#hasParent = options.hasParent;
    this.consumer = new LayerWriter(this.#rootFd, options);
  }

  keep(): void {
    // The files are all that is kept.
  }

  finish(): FinishedLayer {
    return finishLayer(this.#rootFd, this.consumer.notes, this.#hasParent);
  }

  [Symbol.dispose](): void {
    this.consumer[Symbol.dispose]();
    closeFd(this.#rootFd);
  }
}

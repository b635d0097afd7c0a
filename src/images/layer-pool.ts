import type { LayerJob, LayerLimits, StagedLayer } from "./layer-job.ts";

export interface LayerPoolOptions {
  /** Worker threads; 0 derives the number from the cores. */
  readonly workers: number;
  /** Where unfinished layers live: `<root>/ingest`, on the same file system as the snapshots. */
  readonly ingestDirectory: string;
  readonly limits?: LayerLimits;
}

/** Worker threads that turn layers into directories, each layer in one thread, layers in parallel. */
export class LayerPool implements AsyncDisposable {
  readonly #options: LayerPoolOptions;

  constructor(options: LayerPoolOptions) {
    this.#options = options;
  }

  /**
   * Downloads, verifies and unpacks one layer. On any failure nothing of it stays behind.
   * @param onProgress bytes of the blob that have been unpacked so far
   * @throws AgentError DataLoss (digest, size or compression wrong), InvalidArgument (a tar no image may hold),
   *   ResourceExhausted (limits, no space), Cancelled, or what the registry client throws
   */
  unpack(_job: LayerJob, _onProgress: (doneBytes: number) => void, _signal: AbortSignal): Promise<StagedLayer> {
    throw new Error(`not built yet: ${this.#options.ingestDirectory}`);
  }

  /** Ends the threads; running jobs fail with Cancelled. */
  async close(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

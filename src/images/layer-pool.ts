import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { abortError, delay } from "../common/deadline.ts";
import { AgentError, errnoOf } from "../common/errors.ts";
import { Semaphore } from "../common/semaphore.ts";
import { removeTree } from "../system/files.ts";
import type { FittingJob } from "./erofs/fit-indexed-layer.ts";
import { defaultLayerLimits, type LayerJob, type LayerLimits, type StagedLayer } from "./layer-job.ts";
import {
  decodeFault,
  encodeFault,
  type FitRequest,
  type LayerReply,
  type LayerRequest,
  type UnpackRequest,
} from "./layer-messages.ts";
import type { SnapshotForm } from "./snapshot-form.ts";

const resourceLimits = {
  /** Bounds what an archive of millions of directories may hold in memory. */
  maxOldGenerationSizeMb: 512,
  /** Small, so that the decoder's used-up buffers are collected soon: 20 MB less a thread. Still less costs time (measured). */
  maxYoungGenerationSizeMb: 4,
};
/** An idle thread keeps 40 MB; a new one takes 150 ms to start, which the layers of one pull share. */
const idleTimeoutMs = 30_000;
const closeTimeoutMs = 5_000;

export interface LayerPoolOptions {
  /** Worker threads; 0 derives the number from the cores. */
  readonly workers: number;
  /** Where unfinished layers live: `<root>/ingest`, on the same file system as the snapshots. */
  readonly ingestDirectory: string;
  /** What layers are unpacked as. */
  readonly form: SnapshotForm;
  readonly limits?: LayerLimits;
}

/** Worker threads that turn layers into what containers stand on, each layer in one thread, layers in parallel. */
export class LayerPool implements AsyncDisposable {
  readonly #ingestDirectory: string;
  readonly #form: SnapshotForm;
  readonly #limits: LayerLimits;
  readonly #permits: Semaphore;
  /** Fitting takes no place of an unpacking, for that may wait for a slow registry. */
  readonly #fitting = new Semaphore(1);
  readonly #idle: { readonly worker: Worker; readonly timer: NodeJS.Timeout }[] = [];
  readonly #all = new Set<Worker>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(options: LayerPoolOptions) {
    this.#ingestDirectory = options.ingestDirectory;
    this.#form = options.form;
    this.#limits = options.limits ?? defaultLayerLimits;
    // One thread more than cores: while one waits for the network, another has work.
    this.#permits = new Semaphore(options.workers > 0 ? options.workers : Math.min(availableParallelism() + 1, 8));
    mkdirSync(this.#ingestDirectory, { recursive: true, mode: 0o700 });
  }

  /**
   * Downloads, verifies and unpacks one layer. On any failure nothing of it stays behind.
   * @param onProgress bytes of the blob that have been received so far
   * @throws AgentError DataLoss (digest, size or compression wrong), InvalidArgument (a tar no image may hold),
   *   ResourceExhausted (limits, no space), Cancelled, or what the registry client throws
   */
  async unpack(job: LayerJob, onProgress: (doneBytes: number) => void, signal: AbortSignal): Promise<StagedLayer> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    if (either.aborted) throw abortError(either);
    using _permit = await this.#permits.acquire(either).catch(() => {
      throw abortError(either);
    });
    if (either.aborted) throw abortError(either);
    const directory = join(this.#ingestDirectory, `layer-${randomBytes(8).toString("hex")}`);
    const target = { directory, form: this.#form, limits: this.#limits };
    try {
      const { staged } = await this.#track(this.#run({ kind: "unpack", job, target }, onProgress, either));
      if (staged === undefined) throw new AgentError("Internal", "Cannot unpack the layer: its worker told nothing");
      return staged;
    } catch (error) {
      // The worker has removed it, unless the worker itself is gone.
      await removeTree(directory);
      throw error;
    }
  }

  /**
   * Writes the index of a staged layer that waited for its parents. Not to be interrupted: it takes milliseconds.
   * @throws AgentError InvalidArgument when the layer does not fit on its parents, ResourceExhausted, SystemFailure, Cancelled
   */
  async fit(job: FittingJob): Promise<void> {
    const { signal } = this.#closing;
    using _permit = await this.#fitting.acquire(signal).catch(() => {
      throw abortError(signal);
    });
    if (signal.aborted) throw abortError(signal);
    await this.#track(this.#run({ kind: "fit", job, limits: this.#limits }, () => undefined, signal));
  }

  /** Ends the running jobs with Cancelled, then the threads. */
  async close(): Promise<void> {
    this.#closing.abort(new AgentError("Cancelled", "Cannot unpack the layer: the agent is stopping"));
    const settled = Promise.allSettled([...this.#running]);
    const patience = new AbortController();
    await Promise.race([settled, delay(closeTimeoutMs, patience.signal).catch(() => undefined)]);
    patience.abort();
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
    await settled;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }

  #run(
    request: UnpackRequest | FitRequest,
    onProgress: (doneBytes: number) => void,
    signal: AbortSignal,
  ): Promise<Extract<LayerReply, { kind: "done" }>> {
    const worker = this.#wake() ?? this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<Extract<LayerReply, { kind: "done" }>>();
    const abort = () => send(worker, { kind: "abort", error: encodeFault(abortError(signal)) });
    const finish = () => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit);
      signal.removeEventListener("abort", abort);
    };
    const onMessage = (reply: LayerReply) => {
      if (reply.kind === "progress") return onProgress(reply.doneBytes);
      finish();
      this.#rest(worker);
      // Nobody would take it any more.
      if (signal.aborted) reject(abortError(signal));
      else if (reply.kind === "done") resolve(reply);
      else reject(decodeFault(reply.error));
    };
    const onError = (error: Error) => {
      finish();
      if (signal.aborted) {
        reject(abortError(signal));
        return;
      }
      const isMemory = errnoOf(error) === "ERR_WORKER_OUT_OF_MEMORY";
      const code = isMemory ? "ResourceExhausted" : "Internal";
      reject(new AgentError(code, "Cannot unpack the layer: its worker thread failed", { cause: error }));
    };
    const onExit = () => onError(new Error("the thread ended"));
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    worker.ref();
    send(worker, request);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    return promise;
  }

  /** Keeps a worker for the next job, but not for ever, and not the process for it. */
  #rest(worker: Worker): void {
    worker.unref();
    const timer = setTimeout(() => {
      this.#forget(worker);
      void worker.terminate();
    }, idleTimeoutMs);
    timer.unref();
    this.#idle.push({ worker, timer });
  }

  #wake(): Worker | undefined {
    const idle = this.#idle.pop();
    clearTimeout(idle?.timer);
    return idle?.worker;
  }

  #forget(worker: Worker): void {
    const at = this.#idle.findIndex((idle) => idle.worker === worker);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./layer-worker.ts", import.meta.url), {
      name: "layer",
      resourceLimits,
    });
    this.#all.add(worker);
    // Without a listener of its own a failure between jobs would end the agent.
    worker.on("error", () => undefined);
    worker.once("exit", () => {
      this.#all.delete(worker);
      this.#forget(worker);
    });
    return worker;
  }
}

function send(worker: Worker, request: LayerRequest): void {
  worker.postMessage(request);
}

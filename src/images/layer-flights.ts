import { isDeepStrictEqual } from "node:util";
import { whileAlive } from "../common/deadline.ts";
import { AgentError, hasCode } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Digest } from "../common/ids.ts";
import type { BlobSource } from "./blob-source.ts";
import type { LayerJob, StagedLayer } from "./layer-job.ts";
import type { LayerStep } from "./plan-pull.ts";
import type { PullProgress } from "./pull-progress.ts";
import type { SnapshotIds } from "./snapshot-record.ts";

/** What turns blobs into staged layers. */
export interface LayerUnpacker {
  unpack(job: LayerJob, onProgress: (doneBytes: number) => void, signal: AbortSignal): Promise<StagedLayer>;
}

/** What makes staged layers snapshots. */
export interface LayerSnapshots {
  has(chainId: Digest): boolean;
  commit(staged: StagedLayer, ids: SnapshotIds): Promise<void>;
  discard(staged: StagedLayer): Promise<void>;
}

/** Where one pull's layers come from. */
export interface LayerOrigin {
  source(step: LayerStep): BlobSource;
  /** Gets new authorizations after a blob was refused. */
  renew(signal: AbortSignal): Promise<void>;
}

export interface LayerWork {
  readonly step: LayerStep;
  readonly origin: LayerOrigin;
  /** Settles when the parent's snapshot is there, or will not be. */
  readonly parent: Promise<void>;
  readonly tell: (phase: PullProgress["phase"], doneBytes: number) => void;
  readonly signal: AbortSignal;
}

/** Brings layers to the node, each chain id once at a time, whichever images want it. */
export class LayerFlights {
  readonly #unpacker: LayerUnpacker;
  readonly #snapshots: LayerSnapshots;
  readonly #running = new Map<Digest, Promise<void>>();

  constructor(unpacker: LayerUnpacker, snapshots: LayerSnapshots) {
    this.#unpacker = unpacker;
    this.#snapshots = snapshots;
  }

  /** Returns when the layer's snapshot and all below it are committed. */
  async ensure(work: LayerWork): Promise<void> {
    const { step, signal, tell } = work;
    for (let waited = false; ; waited = true) {
      signal.throwIfAborted();
      if (this.#snapshots.has(step.chainId)) return tell(waited ? "done" : "exists", step.layer.sizeBytes);
      const running = this.#running.get(step.chainId);
      if (running === undefined) break;
      // Another pull's failure is not ours: its hosts or its caller may be the reason, so we try ourselves.
      await whileAlive(
        running.catch(() => undefined),
        signal,
      );
    }
    const flight = this.#bring(work).finally(() => this.#running.delete(step.chainId));
    this.#running.set(step.chainId, flight);
    await flight;
  }

  async #bring(work: LayerWork): Promise<void> {
    const { step, tell } = work;
    const staged = await this.#unpack(work);
    failpoint("pull.layer-unpacked");
    try {
      tell("unpacking", step.layer.sizeBytes);
      await work.parent;
      failpoint("pull.layer-commit");
      const { chainId, parentChainId, diffId } = step;
      await this.#snapshots.commit(staged, { chainId, parentChainId, diffId });
    } catch (error) {
      await this.#snapshots.discard(staged);
      throw error;
    }
    failpoint("pull.layer-committed");
    tell("done", step.layer.sizeBytes);
  }

  async #unpack({ step, origin, tell, signal }: LayerWork): Promise<StagedLayer> {
    const { digest, sizeBytes, mediaType } = step.layer;
    const { diffId, chainId, parentChainId } = step;
    let badHosts = 0;
    let renewals = 0;
    for (;;) {
      const source = withoutFirst(origin.source(step), badHosts);
      tell("downloading", 0);
      try {
        const job = { source, mediaType, digest, sizeBytes, diffId, chainId, parentChainId };
        return await this.#unpacker.unpack(job, (doneBytes) => tell("downloading", doneBytes), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (hasCode(error, "Unauthenticated") && renewals < 2) {
          renewals++;
          // Another layer of this pull may have renewed what this one was refused with.
          const current = withoutFirst(origin.source(step), badHosts);
          if (isDeepStrictEqual(current, source)) await origin.renew(signal);
        } else if (hasCode(error, "DataLoss") && source.endpoints.length > 1) {
          // Wrong bytes: the host that most likely sent them is not asked again.
          badHosts++;
        } else {
          throw withLayer(error, step);
        }
      }
    }
  }
}

function withoutFirst(source: BlobSource, count: number): BlobSource {
  return { ...source, endpoints: source.endpoints.slice(Math.min(count, source.endpoints.length - 1)) };
}

function withLayer(error: unknown, step: LayerStep): AgentError {
  const code = error instanceof AgentError ? error.code : "Internal";
  return new AgentError(code, `Layer "${step.layer.digest}" failed`, { cause: error });
}

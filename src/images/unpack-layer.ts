import { createHash, type Hash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { AgentError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Digest } from "../common/ids.ts";
import { openBlob } from "./blob-stream.ts";
import { IndexedLayerSink } from "./erofs/indexed-layer-sink.ts";
import { Inflater } from "./inflate.ts";
import { compressionOf } from "./layer-compression.ts";
import { damagedLayer, layerFault, oversizedLayer } from "./layer-error.ts";
import { LayerFilesSink } from "./layer-files-sink.ts";
import type { LayerJob, LayerLimits, StagedLayer } from "./layer-job.ts";
import type { LayerSink } from "./layer-sink.ts";
import type { SnapshotForm } from "./snapshot-form.ts";
import { TarReader } from "./tar-reader.ts";

/** Where a layer is unpacked, and how. */
export interface LayerTarget {
  /** Made here. */
  readonly directory: string;
  readonly form: SnapshotForm;
  readonly limits: LayerLimits;
}

/**
 * Downloads, verifies and unpacks one layer in one pass over its bytes: the blob is hashed as it comes, decompressed in
 * the thread pool, hashed again and written in the form of the target. Blocks its thread for milliseconds at a time, so
 * it belongs into a worker. The caller removes the directory when this throws.
 * @param onProgress bytes of the blob received so far
 * @throws AgentError as {@link LayerPool.unpack} says
 */
export async function unpackLayer(
  job: LayerJob,
  target: LayerTarget,
  onProgress: (doneBytes: number) => void,
  signal: AbortSignal,
): Promise<StagedLayer> {
  const inflater = new Inflater(compressionOf(job.mediaType));
  mkdirSync(target.directory, { recursive: true, mode: 0o700 });
  failpoint("pull.layer-staging");
  const stop = new AbortController();
  const unpacked = writeLayer(job, target, inflater);
  // A layer over its limits is not worth another byte; for any other fault the rest of the blob tells whether the
  // transfer or the layer is to blame.
  const fault = unpacked.then(
    () => undefined,
    (error: unknown) => {
      inflater.fail(error);
      if (error instanceof AgentError && error.code === "ResourceExhausted") stop.abort(error);
      return error;
    },
  );
  try {
    await receive(job, inflater, onProgress, AbortSignal.any([signal, stop.signal]));
  } catch (error) {
    inflater.fail(error);
    await fault;
    throw error;
  }
  const staged = await unpacked;
  failpoint("pull.layer-staged");
  return staged;
}

/** Takes the blob in: hashes it, hands it to the decoder, and checks its size and digest at the end. */
async function receive(
  job: LayerJob,
  inflater: Inflater,
  onProgress: (doneBytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const hash = hashFor(job.digest);
  let receivedBytes = 0;
  for await (const chunk of openBlob(job.source, signal)) {
    signal.throwIfAborted();
    receivedBytes += chunk.byteLength;
    if (receivedBytes > job.sizeBytes) {
      throw damagedLayer(`blob "${job.digest}" goes on after the ${job.sizeBytes} bytes that its descriptor tells`);
    }
    hash.update(chunk);
    await inflater.write(chunk);
    onProgress(receivedBytes);
  }
  if (receivedBytes !== job.sizeBytes) {
    throw damagedLayer(`blob "${job.digest}" has ${receivedBytes} bytes: its descriptor tells ${job.sizeBytes}`);
  }
  checkDigest("blob", hash, job.digest);
  inflater.end();
}

/** Reads the decompressed tar to its last byte, so that the diff id covers all of it, and writes what is in it. */
async function writeLayer(job: LayerJob, target: LayerTarget, inflater: Inflater): Promise<StagedLayer> {
  const { directory, form, limits } = target;
  try {
    using sink = openSink(job, target);
    const { consumer } = sink;
    const reader = new TarReader(consumer, limits.entries);
    const hash = hashFor(job.diffId);
    let tarBytes = 0;
    for await (const chunk of inflater.output()) {
      tarBytes += chunk.length;
      if (tarBytes > limits.tarBytes) throw oversizedLayer(`it inflates to more than ${limits.tarBytes} bytes`);
      hash.update(chunk);
      if (!reader.isEnded) sink.keep(chunk);
      reader.push(chunk);
      failpoint("pull.layer-unpacking");
    }
    reader.finish();
    checkDigest("tar", hash, job.diffId);
    const { fixUps, hidesLower } = sink.finish();
    return {
      directory,
      form,
      chainId: job.chainId,
      parentChainId: job.parentChainId,
      diffId: job.diffId,
      contentBytes: consumer.contentBytes,
      entryCount: consumer.nodeCount,
      hidesLower,
      fixUps,
    };
  } catch (error) {
    throw layerFault(error);
  }
}

function openSink({ chainId, parentChainId }: LayerJob, { directory, form, limits }: LayerTarget): LayerSink {
  const options = { maxNodes: limits.entries, hasParent: parentChainId !== undefined };
  return form === "erofs"
    ? new IndexedLayerSink(directory, { ...options, chainId })
    : new LayerFilesSink(directory, options);
}

function hashFor(digest: Digest): Hash {
  return createHash(digest.slice(0, digest.indexOf(":")));
}

function checkDigest(what: string, hash: Hash, want: Digest): void {
  const found = `${want.slice(0, want.indexOf(":"))}:${hash.digest("hex")}`;
  if (found !== want) throw damagedLayer(`its ${what} has digest "${found}": must be "${want}"`);
}

import { createHash, type Hash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Digest } from "../common/ids.ts";
import { closeFd, openRoot } from "../system/root-directory.ts";
import { openBlob } from "./blob-stream.ts";
import { finishLayer } from "./finish-layer.ts";
import { Inflater } from "./inflate.ts";
import { compressionOf } from "./layer-compression.ts";
import { damagedLayer, layerFault, oversizedLayer } from "./layer-error.ts";
import type { LayerJob, LayerLimits, StagedLayer } from "./layer-job.ts";
import { LayerWriter } from "./layer-writer.ts";
import { TarReader } from "./tar-reader.ts";

/**
 * Downloads, verifies and unpacks one layer into `<directory>/fs`, in one pass over its bytes: the blob is hashed as it
 * comes, decompressed in the thread pool, hashed again and written as files. Blocks its thread for milliseconds at a
 * time, so it belongs into a worker. The caller removes the directory when this throws.
 * @param onProgress bytes of the blob received so far
 * @throws AgentError as {@link LayerPool.unpack} says
 */
export async function unpackLayer(
  job: LayerJob,
  directory: string,
  limits: LayerLimits,
  onProgress: (doneBytes: number) => void,
  signal: AbortSignal,
): Promise<StagedLayer> {
  const inflater = new Inflater(compressionOf(job.mediaType));
  mkdirSync(join(directory, "fs"), { recursive: true, mode: 0o700 });
  failpoint("pull.layer-staging");
  const stop = new AbortController();
  const unpacked = writeTree(job, directory, limits, inflater);
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

/** Reads the decompressed tar to its last byte, so that the diff id covers all of it, and writes its entries. */
async function writeTree(
  job: LayerJob,
  directory: string,
  limits: LayerLimits,
  inflater: Inflater,
): Promise<StagedLayer> {
  const hasParent = job.parentChainId !== undefined;
  const rootFd = openRoot(join(directory, "fs"));
  try {
    using writer = new LayerWriter(rootFd, { maxNodes: limits.entries, hasParent });
    const reader = new TarReader(writer, limits.entries);
    const hash = hashFor(job.diffId);
    let tarBytes = 0;
    for await (const chunk of inflater.output()) {
      tarBytes += chunk.length;
      if (tarBytes > limits.tarBytes) throw oversizedLayer(`it inflates to more than ${limits.tarBytes} bytes`);
      hash.update(chunk);
      reader.push(chunk);
      failpoint("pull.layer-unpacking");
    }
    reader.finish();
    checkDigest("tar", hash, job.diffId);
    const { fixUps, hidesLower } = finishLayer(rootFd, writer.notes, hasParent);
    return {
      directory,
      chainId: job.chainId,
      parentChainId: job.parentChainId,
      diffId: job.diffId,
      contentBytes: writer.contentBytes,
      entryCount: writer.nodeCount,
      hidesLower,
      fixUps,
    };
  } catch (error) {
    throw layerFault(error);
  } finally {
    closeFd(rootFd);
  }
}

function hashFor(digest: Digest): Hash {
  return createHash(digest.slice(0, digest.indexOf(":")));
}

function checkDigest(what: string, hash: Hash, want: Digest): void {
  const found = `${want.slice(0, want.indexOf(":"))}:${hash.digest("hex")}`;
  if (found !== want) throw damagedLayer(`its ${what} has digest "${found}": must be "${want}"`);
}

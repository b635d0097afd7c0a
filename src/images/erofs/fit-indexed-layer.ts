import { closeSync, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import { failpoint } from "../../common/failpoint.ts";
import type { Digest } from "../../common/ids.ts";
import { writeAll } from "../../system/root-directory.ts";
import { layerFault } from "../layer-error.ts";
import type { LayerLimits } from "../layer-job.ts";
import { TarReader } from "../tar-reader.ts";
import { finishLayerTree } from "./finish-layer-tree.ts";
import { fitLayerTree } from "./fit-layer-tree.ts";
import { indexedLayerPaths } from "./indexed-layer-paths.ts";
import { LayerTree } from "./layer-tree.ts";
import { roundUpToBlock, writeLayerIndex } from "./write-layer-index.ts";

/** A staged layer whose index waits for the layers below. */
export interface FittingJob {
  /** Of the staged layer. */
  readonly directory: string;
  readonly chainId: Digest;
  /** The merged tree of the layers below; descriptors are the whole process's. */
  readonly lowerFd: number;
}

const pieceBytes = 262_144;

/**
 * Fits a staged layer onto its parents and writes its index. The tree is read again from the staged tar, whose headers
 * cost less than holding every waiting layer's tree in memory. It blocks its thread, so it belongs into a worker.
 * @throws AgentError InvalidArgument when the layer does not fit, ResourceExhausted, SystemFailure
 */
export function fitIndexedLayer({ directory, chainId, lowerFd }: FittingJob, limits: LayerLimits): void {
  const paths = indexedLayerPaths(directory);
  // Writes go to the end, reads say where.
  const fd = openSync(paths.data, "a+");
  try {
    const tree = readTree(fd, limits.entries);
    failpoint("pull.layer-fitting");
    const fitted = fitLayerTree(tree.root, lowerFd, { copy: (from, sizeBytes) => append(fd, from, sizeBytes) });
    const { root } = finishLayerTree(tree.root, true, (path) => fitted.isHiding(path));
    writeLayerIndex(paths, fd, root, chainId);
    failpoint("pull.layer-indexed");
  } catch (error) {
    throw layerFault(error);
  } finally {
    closeSync(fd);
  }
}

function readTree(fd: number, maxNodes: number): LayerTree {
  const tree = new LayerTree({ maxNodes, hasParent: true });
  const reader = new TarReader(tree, maxNodes);
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let at = 0; !reader.isEnded; ) {
    const count = readSync(fd, piece, 0, pieceBytes, at);
    if (count === 0) break;
    reader.push(piece.subarray(0, count));
    at += count;
    const skipped = reader.skippableBytes;
    if (skipped > 0) reader.skip(skipped);
    at += skipped;
  }
  reader.finish();
  return tree;
}

/** Copies a lower layer's file behind what the layer has. @returns where it begins */
function append(fd: number, from: number, sizeBytes: number): number {
  const offset = roundUpToBlock(fstatSync(fd).size);
  ftruncateSync(fd, offset);
  const piece = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(sizeBytes, 1)));
  for (let done = 0; done < sizeBytes; ) {
    const count = readSync(from, piece, 0, Math.min(piece.length, sizeBytes - done), done);
    if (count === 0) throw new RangeError(`a file of the layers below ends after ${done} bytes of ${sizeBytes}`);
    writeAll(fd, piece.subarray(0, count));
    done += count;
  }
  return offset;
}

import { createHash } from "node:crypto";
import { closeSync, fstatSync, ftruncateSync, openSync } from "node:fs";
import type { Digest } from "../../common/ids.ts";
import type { IndexDirectory } from "./index-node.ts";
import type { IndexedLayerPaths } from "./indexed-layer-paths.ts";
import { tarBlockBits, writeErofsIndex } from "./write-erofs-index.ts";

const blockBytes = 2 ** tarBlockBits;
const uuidBytes = 16;

/**
 * Writes the index of a layer beside its data file, whose length it rounds up to whole blocks.
 * @param dataFd the data file, open for writing
 * @throws AgentError ResourceExhausted for attributes beyond the format, SystemError
 */
export function writeLayerIndex(paths: IndexedLayerPaths, dataFd: number, root: IndexDirectory, chainId: Digest): void {
  const dataBytes = roundUpToBlock(fstatSync(dataFd).size);
  ftruncateSync(dataFd, dataBytes);
  const fd = openSync(paths.index, "wx", 0o600);
  try {
    const uuid = createHash("sha256").update(chainId).digest().subarray(0, uuidBytes);
    writeErofsIndex(fd, root, { dataBytes, uuid });
  } finally {
    closeSync(fd);
  }
}

export function roundUpToBlock(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { SystemError } from "../../common/errors.ts";
import { failpoint } from "../../common/failpoint.ts";
import type { Digest } from "../../common/ids.ts";
import { detachIdleMount } from "../../system/mount.ts";
import { removeTreeNow } from "../../system/remove-tree.ts";
import { writeAll } from "../../system/root-directory.ts";
import { indexedLayerPaths } from "./indexed-layer-paths.ts";
import { impliedAttributes } from "./layer-directory.ts";
import { mountIndexedLayer } from "./mount-indexed-layer.ts";
import { writeLayerIndex } from "./write-layer-index.ts";

const content = "a layer of one file\n";
const noLayer = `sha256:${"0".repeat(64)}` as Digest;

/**
 * Tries whether indexed layers work on the file system of this directory, by making and reading a small one: the kernel
 * must mount EROFS from a file, and the file system must let it.
 * @param directory absolute; a directory is made in it and removed again
 * @throws SystemError, or Node's error of a file, telling what does not work
 */
export function probeErofs(directory: string): void {
  const trial = join(directory, "erofs-probe");
  const paths = indexedLayerPaths(trial);
  const remove = () => {
    try {
      detachIdleMount(paths.tree);
    } catch {
      // Not mounted, or not even made.
    }
    removeTreeNow(trial);
  };
  // Left by an agent that was killed here.
  remove();
  using clean = new DisposableStack();
  clean.defer(remove);
  mkdirSync(paths.tree, { recursive: true, mode: 0o700 });
  const fd = openSync(paths.data, "wx", 0o600);
  try {
    writeAll(fd, Buffer.from(content));
    const file = {
      kind: "file",
      attributes: impliedAttributes,
      sizeBytes: content.length,
      contentOffsetBytes: 0,
    } as const;
    const children = new Map([["file", file]]);
    writeLayerIndex(paths, fd, { kind: "directory", attributes: impliedAttributes, children }, noLayer);
  } finally {
    closeSync(fd);
  }
  mountIndexedLayer(paths);
  failpoint("recover.erofs-probed");
  const read = readFileSync(join(paths.tree, "file"), "utf8");
  if (read !== content)
    throw new SystemError(`read a file of the EROFS on "${paths.tree}": it is not what was written`);
}

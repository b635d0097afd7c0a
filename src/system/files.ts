import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { blockingWorkers } from "./blocking-workers.ts";

/** Makes a directory's entries durable. */
export function fsyncDirectory(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Replaces a file as one step: a reader, and a restart after power loss, sees the old bytes or the new ones.
 * @param mode permission bits of the new file
 */
export function writeFileDurably(path: string, data: string | Uint8Array, mode: number): void {
  const temporary = join(dirname(path), `.${basename(path)}.tmp`);
  const fd = openSync(temporary, "w", mode);
  try {
    const bytes = typeof data === "string" ? Buffer.from(data) : data;
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, path);
  fsyncDirectory(dirname(path));
}

/** Makes a directory only root may enter, with its parents. */
export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}

/**
 * Removes a directory with all below it, on a thread of its own: it may hold millions of files. Gone counts as done, and
 * no link is followed.
 * @throws SystemError
 */
export function removeTree(path: string): Promise<void> {
  return blockingWorkers.run({ kind: "removeTree", path });
}

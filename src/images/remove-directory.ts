import { basename, dirname } from "node:path";
import { closeFd, openRoot, removeTreeAt } from "../system/root-directory.ts";

/**
 * Removes a directory of ours with all that an image put below it, whatever the bytes in its names; absent counts as
 * done. The steps are for runSliced or runAtOnce.
 */
export function* removeDirectory(path: string): Generator<void, void, undefined> {
  const parentFd = openRoot(dirname(path));
  try {
    yield* removeTreeAt(parentFd, Buffer.from(basename(path)).toString("latin1"));
  } finally {
    closeFd(parentFd);
  }
}

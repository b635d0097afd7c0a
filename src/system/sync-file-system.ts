import { closeSync, openSync } from "node:fs";
import koffi from "koffi";
import { SystemError } from "../common/errors.ts";
import { errnoName, libc } from "./libc.ts";

/**
 * Waits until all that was written to the file system of this path is on stable storage (syncfs(2)), off the event loop.
 * One call for a whole image: an fsync for each file takes 0.6 ms.
 * @throws SystemError, also when the disk failed to take earlier writes (Linux 5.8)
 */
export async function syncFileSystem(path: string): Promise<void> {
  const fd = openSync(path, "r");
  try {
    await new Promise<void>((resolve, reject) => {
      libc.syncfs.async(fd, (error: Error | null, result: number) => {
        if (error !== null) return reject(error);
        if (result === 0) return resolve();
        const errno = errnoName(koffi.errno());
        reject(new SystemError(`sync the file system of "${path}": ${errno}`, { errno }));
      });
    });
  } finally {
    closeSync(fd);
  }
}

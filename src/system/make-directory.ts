import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../common/errors.ts";

/**
 * Makes a directory that a caller named, with its parents. Not by Node's recursive mkdir: that never returns where the
 * kernel answers ENOENT for a name whose parent exists, as under /proc. Off the event loop: the path may lead to a file
 * system whose server does not answer.
 * @param mode permission bits of each directory made here
 * @throws the error of mkdir(2), with its errno as `code`
 */
export async function makeDirectory(path: string, mode: number): Promise<void> {
  if (await tryMake(path, mode)) return;
  await makeDirectory(dirname(path), mode);
  // Without a second look at ENOENT: its parent is there now.
  try {
    await mkdir(path, mode);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** @returns false when the parent is missing */
async function tryMake(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, mode);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return true;
    if (errnoOf(error) === "ENOENT" && dirname(path) !== path) return false;
    throw error;
  }
}

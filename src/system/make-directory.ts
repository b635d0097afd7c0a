import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "../common/errors.ts";

/**
 * Makes a directory that a caller named, with its parents. Not by Node's recursive mkdir: that never returns where the
 * kernel answers ENOENT for a name whose parent exists, as under /proc.
 * @param mode permission bits of each directory made here
 * @throws the error of mkdir(2), with its errno as `code`
 */
export function makeDirectory(path: string, mode: number): void {
  if (tryMake(path, mode)) return;
  makeDirectory(dirname(path), mode);
  // Without a second look at ENOENT: its parent is there now.
  try {
    mkdirSync(path, mode);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** @returns false when the parent is missing */
function tryMake(path: string, mode: number): boolean {
  try {
    mkdirSync(path, mode);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return true;
    if (errnoOf(error) === "ENOENT" && dirname(path) !== path) return false;
    throw error;
  }
}

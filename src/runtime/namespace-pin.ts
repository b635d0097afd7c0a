import { statfsSync } from "node:fs";
import { errnoOf } from "../common/errors.ts";

/** statfs(2)'s f_type of the file system that namespace files are on. */
const NSFS_MAGIC = 0x6e736673;

/** Whether a namespace is pinned at the path; after a reboot the path may be a plain file, or missing. */
export function isNamespacePin(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

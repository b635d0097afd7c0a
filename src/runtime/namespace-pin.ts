import { closeSync, mkdirSync, openSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { AgentError, errnoOf } from "../common/errors.ts";
import { mount, mountFlag } from "../system/mount.ts";

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

/**
 * Keeps a process's namespace alive at a path, where others can join it whatever becomes of the process's number.
 * @param kind as in /proc/PID/ns
 * @throws AgentError SystemFailure, with nothing mounted
 */
export function pinNamespace(pid: number, kind: "pid", path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, "a", 0o600));
    mount(`/proc/${pid}/ns/${kind}`, path, "", mountFlag.bind);
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't pin the ${kind} namespace of process ${pid} at "${path}"`, { cause });
  }
}

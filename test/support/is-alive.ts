import { readFileSync } from "node:fs";

/** Whether a process is there and has not ended; one that waits to be reaped has. */
export function isAlive(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

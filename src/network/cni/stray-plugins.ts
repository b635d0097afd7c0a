import { readFileSync } from "node:fs";
import { delay } from "../../common/deadline.ts";
import { isAlive, listPids, type ProcessIdentity, readProcessStat, signalProcess } from "../../system/process.ts";
import { ownerVariable } from "./plugin-programs.ts";

/** A killed process is gone at once, unless the kernel is in the middle of something for it. */
const longestWaitMs = 10_000;

/**
 * Kills the plugins that an earlier agent of the same owner started and did not live to see end: an ADD that went on
 * would give a pod addresses after its DEL.
 * @returns how many there were
 */
export async function killStrayPlugins(owner: string): Promise<number> {
  const strays = listPids().flatMap((pid) => strayOf(pid, owner));
  for (const stray of strays) signalProcess(stray, "SIGKILL");
  for (let waitedMs = 0; waitedMs < longestWaitMs && strays.some(isAlive); waitedMs += 10) await delay(10);
  return strays.length;
}

function strayOf(pid: number, owner: string): readonly ProcessIdentity[] {
  const stat = readProcessStat(pid);
  if (stat === undefined || pid === process.pid) return [];
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return environment.includes(`${ownerVariable}=${owner}`) ? [stat] : [];
  } catch {
    // Gone meanwhile, or a kernel thread.
    return [];
  }
}

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { delay } from "../../common/deadline.ts";
import { killSession } from "../../system/captured-process.ts";
import {
  isAlive,
  listPids,
  type ProcessIdentity,
  readCommandLine,
  readProcessStat,
  signalProcess,
} from "../../system/process.ts";
import { ownerVariable } from "./plugin-programs.ts";

/** A killed process is gone at once, unless the kernel is in the middle of something for it. */
const longestWaitMs = 10_000;

/**
 * Kills the plugins that an earlier agent of the same owner started and did not live to see end, with what they run: an
 * ADD that went on would give a pod addresses after its DEL. A daemon that a plugin left for its pod inherits the mark as
 * well, and stays: it is told by its arguments, for the specification gives plugins none.
 * @returns how many there were
 */
export async function killStrayPlugins(owner: string, binDirs: readonly string[]): Promise<number> {
  const strays = listPids().flatMap((pid) => strayOf(pid, owner, binDirs));
  for (const stray of strays) {
    // The plugin that we started leads a session; those that it delegates to are in it.
    if (isAlive(stray) && readProcessStat(stray.pid)?.sessionId === stray.pid) killSession(stray.pid);
    signalProcess(stray, "SIGKILL");
  }
  for (let waitedMs = 0; waitedMs < longestWaitMs && strays.some(isAlive); waitedMs += 10) await delay(10);
  return strays.length;
}

function strayOf(pid: number, owner: string, binDirs: readonly string[]): readonly ProcessIdentity[] {
  const stat = readProcessStat(pid);
  if (stat === undefined || pid === process.pid || !isPlugin(readCommandLine(pid), binDirs)) return [];
  try {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    return environment.includes(`${ownerVariable}=${owner}`) ? [stat] : [];
  } catch {
    // Gone meanwhile.
    return [];
  }
}

/** A program of a plugin directory without arguments; that of a script follows its interpreter. */
function isPlugin(argv: readonly string[], binDirs: readonly string[]): boolean {
  const own = argv.findIndex((word) => binDirs.includes(dirname(word)));
  return own >= 0 && own === argv.length - 1;
}

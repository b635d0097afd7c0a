import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, listPids, type ProcessIdentity, readProcessStat, signalProcess } from "../system/process.ts";
import { planKillTree, type SeenProcess } from "./plan-kill-tree.ts";

const deadlineMs = 5_000;
const longestPauseMs = 250;

/**
 * Kills a process of a container and everything it has started. Each is stopped when it is found, so that it can't
 * fork between the search and the kill.
 * @returns false when some were still alive after 5 seconds, for instance in a frozen cgroup
 */
export async function killTree(root: ProcessIdentity): Promise<boolean> {
  const group = readCgroup(root.pid);
  const pipes = new Set(openPipes(root.pid));
  const deadline = performance.now() + deadlineMs;
  let victims: ReadonlyMap<number, ProcessIdentity> = new Map([[root.pid, root]]);
  signalProcess(root, "SIGSTOP");
  for (let pauseMs = 5; ; ) {
    const before = victims.size;
    victims = planKillTree(look(group, pipes), victims);
    for (const victim of victims.values()) signalProcess(victim, "SIGSTOP");
    if (victims.size > before) continue;
    for (const victim of victims.values()) signalProcess(victim, "SIGKILL");
    if (![...victims.values()].some(isAlive)) return true;
    if (performance.now() > deadline) return false;
    await sleep(pauseMs);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

/** Every living process; only those of the root's cgroup are asked for their pipes, for the shim has them open too. */
function look(group: string, pipes: ReadonlySet<string>): readonly SeenProcess[] {
  return listPids().flatMap((pid) => {
    const stat = readProcessStat(pid);
    if (stat === undefined || stat.state === "Z") return [];
    const holdsPipe =
      pipes.size > 0 && group !== "" && readCgroup(pid) === group && openPipes(pid).some((pipe) => pipes.has(pipe));
    return [{ ...stat, holdsPipe }];
  });
}

/** /proc/<pid>/cgroup as it is; empty when the process has gone. */
function readCgroup(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, "utf8");
  } catch {
    return "";
  }
}

/** The pipes among a process's descriptors, such as "pipe:[1234]"; none when it has gone. */
function openPipes(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`)
      .map((fd) => readLink(`/proc/${pid}/fd/${fd}`))
      .filter((link) => link.startsWith("pipe:"));
  } catch {
    return [];
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

import { readdirSync, readlinkSync } from "node:fs";
import { errnoOf } from "../common/errors.ts";
import { readIfThere } from "../system/cgroup.ts";

/** What the processes of a container hold open. */
export interface ProcessUsage {
  readonly fileDescriptors: number;
  readonly sockets: number;
  /** Soft limits of the container's first process by name, such as "max_open_files"; -1: none. */
  readonly softLimits: ReadonlyMap<string, number>;
}

/** A container with more is looked at no further: its figures are lower bounds then. */
const maxProcesses = 1024;
const maxDescriptors = 8192;

/** Reads /proc of these processes; those that have gone count nothing. @param firstPid the container's first process */
export function readProcessUsage(pids: readonly number[], firstPid: number): ProcessUsage {
  let [fileDescriptors, sockets] = [0, 0];
  for (const pid of pids.slice(0, maxProcesses)) {
    const names = listDescriptors(pid);
    for (const name of names) {
      if (fileDescriptors < maxDescriptors && isSocket(`/proc/${pid}/fd/${name}`)) sockets += 1;
      fileDescriptors += 1;
    }
  }
  return { fileDescriptors, sockets, softLimits: parseSoftLimits(readIfThere(`/proc/${firstPid}/limits`) ?? "") };
}

/** Lines such as "Max open files            1024                 4096                 files". */
export function parseSoftLimits(limits: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const [, name = "", soft = ""] of limits.matchAll(/^(Max [a-z ]+?)\s{2,}(\d+|unlimited)\s/gm)) {
    found.set(name.toLowerCase().replaceAll(" ", "_"), soft === "unlimited" ? -1 : Number(soft));
  }
  return found;
}

function listDescriptors(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`);
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(errnoOf(error) ?? "")) return [];
    throw error;
  }
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith("socket:");
  } catch {
    return false;
  }
}

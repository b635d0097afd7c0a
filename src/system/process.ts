import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { errnoOf } from "../common/errors.ts";

/** A process that can't be mistaken for a later one of the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks from boot to the process's start. */
  readonly startTicks: number;
}

/** What /proc/<pid>/stat says of a process. */
export interface ProcessStat extends ProcessIdentity {
  readonly parentPid: number;
  readonly sessionId: number;
  /** One letter of proc_pid_stat(5); "Z" is a zombie. */
  readonly state: string;
}

/** Parses /proc/<pid>/stat; the command in parentheses may hold anything, so fields are counted from its last ")". */
export function parseProcessStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return {
    pid: Number.parseInt(text, 10),
    state: fields[0] ?? "",
    parentPid: Number(fields[1]),
    sessionId: Number(fields[3]),
    startTicks: Number(fields[19]),
  };
}

/** @returns undefined when there is no such process */
export function readProcessStat(pid: number): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ESRCH") return undefined;
    throw error;
  }
}

/** Whether exactly this process still runs (a zombie does not). */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readProcessStat(identity.pid);
  return stat !== undefined && stat.startTicks === identity.startTicks && stat.state !== "Z";
}

/** Sends a signal unless the process has gone. @returns whether it was sent */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
    throw error;
  }
}

/** The number of every process that runs now. */
export function listPids(): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);
}

/** A process's argument vector; empty when it has gone or is a kernel thread. */
export function readCommandLine(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
  } catch {
    return [];
  }
}

/** This boot's identity: a record of another boot describes kernel objects that no longer exist. */
export function readBootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

/** The inode of a process's namespace, such as "net:[4026531840]", or undefined when it has gone. */
export function readNamespace(pid: number, kind: "net" | "ipc" | "uts" | "pid" | "mnt"): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`);
  } catch {
    return undefined;
  }
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { isAlive, type ProcessIdentity, readProcessStat, signalProcess } from "../src/system/process.ts";
import { eventually } from "../test/support/eventually.ts";
import { place } from "./place.ts";

type Role = "agent" | "registry";

/** Starts a program that outlives this one, and notes it down so that a later run can end it. */
export async function startProcess(
  role: Role,
  argv: readonly [string, ...string[]],
  log: string,
): Promise<ProcessIdentity> {
  const output = openSync(log, "a", 0o600);
  const [program, ...rest] = argv;
  const child = spawn(program, rest, { detached: true, stdio: ["ignore", output, output] });
  closeSync(output);
  child.unref();
  // An unknown program is told by an event, not by an exception.
  await once(child, "spawn");
  const identity = readProcessStat(child.pid ?? 0);
  if (identity === undefined) throw new Error(`${program} ended at once`);
  note({ ...notedProcesses(), [role]: { pid: identity.pid, startTicks: identity.startTicks } });
  return identity;
}

/** What this or an earlier run has started. */
export function notedProcesses(): Readonly<Partial<Record<Role, ProcessIdentity>>> {
  if (!existsSync(place.processes)) return {};
  return JSON.parse(readFileSync(place.processes, "utf8")) as Partial<Record<Role, ProcessIdentity>>;
}

/** Asks the process to end and waits; after the time it is killed. @returns whether it ended by itself */
export async function endProcess(identity: ProcessIdentity, graceMs: number): Promise<boolean> {
  signalProcess(identity, "SIGTERM");
  try {
    await eventually(`process ${identity.pid} to end`, () => !isAlive(identity), graceMs);
    return true;
  } catch {
    signalProcess(identity, "SIGKILL");
    await eventually(`process ${identity.pid} to end`, () => !isAlive(identity));
    return false;
  }
}

function note(processes: Partial<Record<Role, ProcessIdentity>>): void {
  const next = `${place.processes}.new`;
  writeFileSync(next, JSON.stringify(processes));
  renameSync(next, place.processes);
}

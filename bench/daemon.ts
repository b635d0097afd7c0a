import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CgroupLayout, cgroupDirectories, detectCgroups } from "../src/system/cgroup.ts";
import { isAlive, type ProcessIdentity, readProcessStat } from "../src/system/process.ts";
import { eventually } from "../test/support/eventually.ts";
import { place } from "./place.ts";

const startApart = join(import.meta.dirname, "start-apart.sh");

/** Processor time and memory that a daemon took. */
export interface Usage {
  /** Of the daemon and all it started, shims and OCI runtimes included, containers left out. */
  readonly cpuSeconds: number;
  /** Of the daemon's process alone. */
  readonly peakRssBytes: number;
}

/** A program of a run, in a control group of its own, which also counts what it uses. */
export class Daemon {
  readonly name: string;
  readonly log: string;
  readonly #identity: ProcessIdentity;
  readonly #group: string;

  private constructor(name: string, log: string, identity: ProcessIdentity, group: string) {
    this.name = name;
    this.log = log;
    this.#identity = identity;
    this.#group = group;
  }

  /** Starts a program; it ends when the run's control groups are emptied. */
  static async start(name: string, argv: readonly string[], log: string): Promise<Daemon> {
    const group = countingGroup(detectCgroups(), `${place.group}/${name}`);
    mkdirSync(group, { recursive: true });
    const output = openSync(log, "a", 0o600);
    // A session of its own: Ctrl-C is for the benchmark, which ends its daemons in order.
    const child = spawn(startApart, [group, ...argv], { detached: true, stdio: ["ignore", output, output] });
    closeSync(output);
    child.unref();
    await once(child, "spawn");
    const identity = readProcessStat(child.pid ?? 0);
    if (identity === undefined) throw new Error(`${name} ended at once, see ${log}`);
    return new Daemon(name, log, identity, group);
  }

  /** Waits until the probe has an answer. @throws Error with the end of the log when the daemon ends or stays silent */
  async ready(probe: () => Promise<unknown>): Promise<void> {
    try {
      await eventually(
        `${this.name} to answer`,
        async () => {
          if (!isAlive(this.#identity)) throw new DaemonEnded(`${this.name} ended`);
          await probe();
          return true;
        },
        60_000,
        (error) => error instanceof DaemonEnded,
      );
    } catch (cause) {
      const tail = readFileSync(this.log, "utf8").trimEnd().split("\n").slice(-15).join("\n");
      throw new Error(`${this.name} does not serve:\n${tail}`, { cause });
    }
  }

  /** Does the work and tells what it took. */
  async measure(work: () => Promise<void>): Promise<Usage> {
    // Sets VmHWM back to the present size, proc_pid_clear_refs(5).
    writeFileSync(`/proc/${this.#identity.pid}/clear_refs`, "5");
    const before = readCpuSeconds(this.#group);
    await work();
    const cpuSeconds = readCpuSeconds(this.#group) - before;
    const status = readFileSync(`/proc/${this.#identity.pid}/status`, "utf8");
    return { cpuSeconds, peakRssBytes: Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024 };
  }
}

class DaemonEnded extends Error {}

/** v1 counts processor time in a hierarchy for it, v2 in the only one. */
function countingGroup(layout: CgroupLayout, path: string): string {
  const tree = layout.treeOf.get("cpuacct");
  return tree === undefined ? (cgroupDirectories(layout, path)[0] ?? "") : `${tree}${path}`;
}

function readCpuSeconds(group: string): number {
  try {
    return Number(readFileSync(join(group, "cpuacct.usage"), "utf8")) / 1e9;
  } catch {
    return Number(/^usage_usec (\d+)$/m.exec(readFileSync(join(group, "cpu.stat"), "utf8"))?.[1] ?? 0) / 1e6;
  }
}

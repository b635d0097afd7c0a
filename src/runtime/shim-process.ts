import { setTimeout as sleep } from "node:timers/promises";
import {
  isAlive,
  listPids,
  type ProcessIdentity,
  readCommandLine,
  readProcessStat,
  signalProcess,
} from "../system/process.ts";

/** A running shim, or the short-lived process that starts one, seen by its arguments. */
export interface ShimProcess extends ProcessIdentity {
  /** What it was started for: a sandbox's id. */
  readonly id: string;
}

/** The value after a flag, for Go's `-flag value` form. */
function flag(argv: readonly string[], name: string): string | undefined {
  const at = argv.indexOf(name);
  return at < 1 ? undefined : argv[at + 1];
}

/** @returns the shim's id if these are the arguments of a shim of the namespace, or of the process that starts one */
export function shimIdOf(argv: readonly string[], namespace: string): string | undefined {
  // The clean-up of a dead shim: killed by another clean-up of the same pod, it would have done nothing.
  if (argv.at(-1) === "delete") return undefined;
  if (flag(argv, "-namespace") !== namespace || flag(argv, "-address") === undefined) return undefined;
  return flag(argv, "-id");
}

/** The shims of a containerd namespace that run on this machine. */
export function findShims(namespace: string): readonly ShimProcess[] {
  const found: ShimProcess[] = [];
  for (const pid of listPids()) {
    const id = shimIdOf(readCommandLine(pid), namespace);
    if (id === undefined) continue;
    const stat = readProcessStat(pid);
    if (stat !== undefined && stat.state !== "Z") found.push({ pid, startTicks: stat.startTicks, id });
  }
  return found;
}

/**
 * Ends whatever runs as the shim of this id, and waits until it has gone. A starter could fork once more while it is
 * looked for, so the search is repeated until it finds nothing.
 */
export async function killShims(namespace: string, id: string): Promise<void> {
  for (let round = 0; round < 50; round++) {
    const shims = findShims(namespace).filter((shim) => shim.id === id);
    if (shims.length === 0) return;
    for (const shim of shims) signalProcess(shim, "SIGKILL");
    for (let wait = 0; wait < 100 && shims.some(isAlive); wait++) await sleep(5);
  }
}

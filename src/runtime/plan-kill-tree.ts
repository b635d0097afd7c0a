import type { ProcessIdentity, ProcessStat } from "../system/process.ts";

/** A process as seen in one pass over /proc. */
export interface SeenProcess extends ProcessStat {
  /** Whether it has one of the root process's pipes open: a daemon that left its parent and session still has. */
  readonly holdsPipe: boolean;
}

/**
 * The processes that a process has started, itself included: its children and theirs, members of the sessions that any
 * of them leads, and holders of its pipes.
 * @param known what earlier passes found; members may have died, and their children moved to another parent
 * @returns `known` and what this pass adds, by pid
 */
export function planKillTree(
  seen: readonly SeenProcess[],
  known: ReadonlyMap<number, ProcessIdentity>,
): ReadonlyMap<number, ProcessIdentity> {
  const living = new Map(seen.map((one) => [one.pid, one]));
  const victims = new Map(known);
  // A number counts only while it means the process we know: a later process may have taken it over. A session's
  // number is not given away while the session has a member, so there a leader that has gone still counts.
  const isParent = (pid: number) => {
    const victim = victims.get(pid);
    return victim !== undefined && living.get(pid)?.startTicks === victim.startTicks;
  };
  const isLeader = (pid: number) => victims.has(pid) && (!living.has(pid) || isParent(pid));
  for (let grew = true; grew; ) {
    grew = false;
    for (const { pid, startTicks, parentPid, sessionId, holdsPipe } of seen) {
      if (victims.get(pid)?.startTicks === startTicks) continue;
      if (!holdsPipe && !isParent(parentPid) && !isLeader(sessionId)) continue;
      victims.set(pid, { pid, startTicks });
      grew = true;
    }
  }
  return victims;
}

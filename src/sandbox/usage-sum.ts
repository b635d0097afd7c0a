import type { CgroupUsage } from "../runtime/cgroup-usage.ts";

/**
 * What several groups take together. Limits and pressure have no sum. A part that is unknown of one of them counts as
 * nothing there.
 * @returns undefined for no groups
 */
export function addUsage(parts: readonly CgroupUsage[]): CgroupUsage | undefined {
  const first = parts[0];
  if (first === undefined) return undefined;
  const memory = parts.map((part) => part.memory).filter((one) => one !== undefined);
  const swap = parts.map((part) => part.swap).filter((one) => one !== undefined);
  return {
    atMs: Math.max(...parts.map(({ atMs }) => atMs)),
    cpuUsageNs: parts.reduce((sum, { cpuUsageNs = 0n }) => sum + cpuUsageNs, 0n),
    memory:
      memory.length === 0
        ? undefined
        : {
            usageBytes: total(memory, ({ usageBytes }) => usageBytes),
            workingSetBytes: total(memory, ({ workingSetBytes }) => workingSetBytes),
            rssBytes: total(memory, ({ rssBytes }) => rssBytes),
            pageFaults: total(memory, ({ pageFaults }) => pageFaults),
            majorPageFaults: total(memory, ({ majorPageFaults }) => majorPageFaults),
            limitBytes: undefined,
          },
    swap:
      swap.length === 0
        ? undefined
        : { usageBytes: total(swap, ({ usageBytes }) => usageBytes), limitBytes: undefined },
    pressure: undefined,
    processCount: total(parts, ({ processCount = 0 }) => processCount),
  };
}

function total<Part>(parts: readonly Part[], of: (part: Part) => number): number {
  return parts.reduce((sum, part) => sum + of(part), 0);
}

import { parseInt64 } from "../common/int64.ts";
import type { Resources } from "./container-settings.ts";

/**
 * A container's limits after a change; what the change leaves out stays. A new memory limit without a word on swap
 * takes an earlier swap limit away, so that there is no swap beyond it, as when the container was created. The OOM score
 * belongs to processes that run already, and stays.
 */
export function mergeResources(current: Resources, change: Resources): Resources {
  const { memorySwapLimitBytes: _, ...withoutSwap } = current;
  const changedSizes = new Set(change.hugepageLimits.map(({ pageSize }) => pageSize));
  return {
    ...(change.memoryLimitBytes === undefined ? current : withoutSwap),
    ...change,
    oomScoreAdj: current.oomScoreAdj,
    hugepageLimits: [
      ...current.hugepageLimits.filter(({ pageSize }) => !changedSizes.has(pageSize)),
      ...change.hugepageLimits,
    ],
    unified: { ...current.unified, ...change.unified },
  };
}

/**
 * The limits to set where a change failed half-way: those from before, and the kernel's own defaults where there were
 * none and the change may have set some. CPU and memory sets have no such default; they are among what is set first.
 */
export function revertedResources(before: Resources, attempted: Resources): Resources {
  return { ...unlimited(attempted), ...before };
}

function unlimited(attempted: Resources): Partial<Resources> {
  const text = (value: string) => parseInt64("default limit", value);
  return {
    ...(attempted.cpuPeriodMicros !== undefined && { cpuPeriodMicros: text("100000") }),
    ...(attempted.cpuQuotaMicros !== undefined && { cpuQuotaMicros: text("-1") }),
    ...(attempted.cpuShares !== undefined && { cpuShares: text("1024") }),
    ...(attempted.memoryLimitBytes !== undefined && { memoryLimitBytes: text("-1") }),
  };
}

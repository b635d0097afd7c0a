/**
 * What the kernel counts of one control group, whichever version of them it has. A part is undefined where the kernel
 * doesn't count it. Numbers of bytes fit a double; nanoseconds of CPU need not, after a hundred days.
 */
export interface CgroupUsage {
  /** When it was read: milliseconds since the epoch, with a fraction. */
  readonly atMs: number;
  /** CPU time of the group and all below it since it was made. */
  readonly cpuUsageNs: bigint | undefined;
  readonly memory: MemoryUsage | undefined;
  readonly swap: SwapUsage | undefined;
  readonly pressure: PressureUsage | undefined;
  /** Processes in the group and below; counted only when asked for. */
  readonly processCount: number | undefined;
}

export interface MemoryUsage {
  readonly usageBytes: number;
  /** Usage without file pages that can be dropped at once: what a limit is compared with in practice. */
  readonly workingSetBytes: number;
  readonly rssBytes: number;
  readonly pageFaults: number;
  readonly majorPageFaults: number;
  /** The lowest limit above it; undefined: none. */
  readonly limitBytes: number | undefined;
}

export interface SwapUsage {
  readonly usageBytes: number;
  /** undefined: no limit. */
  readonly limitBytes: number | undefined;
}

export interface PressureUsage {
  readonly cpu: Pressure | undefined;
  readonly memory: Pressure | undefined;
  readonly io: Pressure | undefined;
}

/** Shares of time lost for want of a resource (Documentation/accounting/psi.rst): by some tasks, by all at once. */
export interface Pressure {
  readonly some: PressureLine;
  readonly full: PressureLine;
}

export interface PressureLine {
  readonly totalMicros: number;
  /** Percent of the last so many seconds. */
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
}

/** What metrics tell beyond {@link CgroupUsage}. */
export interface CgroupDetails {
  readonly cpuUserNs: bigint | undefined;
  readonly cpuSystemNs: bigint | undefined;
  readonly throttling:
    | { readonly periods: number; readonly throttledPeriods: number; readonly throttledNs: bigint }
    | undefined;
  readonly memory: MemoryDetails | undefined;
  readonly io: readonly DeviceUsage[];
  readonly hugepages: readonly HugepageUsage[];
  /** Threads, as the pids controller counts. */
  readonly threadCount: number | undefined;
  /** undefined: no limit. */
  readonly threadLimit: number | undefined;
  readonly limits: CgroupLimits;
}

export interface MemoryDetails {
  readonly cacheBytes: number;
  readonly kernelBytes: number | undefined;
  readonly mappedFileBytes: number;
  readonly maxUsageBytes: number | undefined;
  /** How often the limit was hit. */
  readonly failCount: number | undefined;
  readonly oomKills: number;
}

/** I/O of a group on one block device. */
export interface DeviceUsage {
  readonly major: number;
  readonly minor: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
  readonly reads: number;
  readonly writes: number;
}

export interface HugepageUsage {
  /** Such as "2MB". */
  readonly pageSize: string;
  readonly usageBytes: number;
  readonly maxUsageBytes: number | undefined;
}

/** The limits that hold, as the kernel has them; undefined: none. */
export interface CgroupLimits {
  readonly cpuPeriodMicros: number | undefined;
  readonly cpuQuotaMicros: number | undefined;
  /** Version 1's scale, 2 to 262144. */
  readonly cpuShares: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly memoryReservationBytes: number | undefined;
  /** Memory and swap together. */
  readonly memorySwapBytes: number | undefined;
}

/** Gives the text of a group's file, or undefined where there is none. @param controller v1: names the tree */
export type ReadCgroupFile = (controller: string, file: string) => string | undefined;

/** One file with one number; "max" and what is no number are undefined. */
export function parseNumber(text: string | undefined): number | undefined {
  const trimmed = text?.trim() ?? "";
  return /^-?\d+$/.test(trimmed) ? Number(trimmed) : undefined;
}

/** A file of lines "name value". */
export function parseFields(text: string | undefined): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of (text ?? "").split("\n")) {
    const space = line.indexOf(" ");
    if (space > 0) fields.set(line.slice(0, space), line.slice(space + 1));
  }
  return fields;
}

/** A field's number, 0 when it is missing. */
export function fieldNumber(fields: ReadonlyMap<string, string>, name: string): number {
  return Number(fields.get(name) ?? 0);
}

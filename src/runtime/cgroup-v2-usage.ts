import {
  type CgroupDetails,
  type CgroupUsage,
  type DeviceUsage,
  fieldNumber,
  type HugepageUsage,
  type Pressure,
  type PressureLine,
  parseFields,
  parseNumber,
  type ReadCgroupFile,
} from "./cgroup-usage.ts";

/** The usage that cgroup v2's files tell (Documentation/admin-guide/cgroup-v2.rst). All of it counts groups below too. */
export function readV2Usage(read: ReadCgroupFile): Pick<CgroupUsage, "cpuUsageNs" | "memory" | "swap" | "pressure"> {
  const cpu = parseFields(read("cpu", "cpu.stat")).get("usage_usec");
  const cpuUsageNs = microsToNs(cpu);
  const pressure = {
    cpu: parsePressure(read("cpu", "cpu.pressure")),
    memory: parsePressure(read("memory", "memory.pressure")),
    io: parsePressure(read("io", "io.pressure")),
  };
  const usageBytes = parseNumber(read("memory", "memory.current"));
  if (usageBytes === undefined) return { cpuUsageNs, memory: undefined, swap: undefined, pressure };
  const stat = parseFields(read("memory", "memory.stat"));
  const swapBytes = parseNumber(read("memory", "memory.swap.current"));
  return {
    cpuUsageNs,
    memory: {
      usageBytes,
      workingSetBytes: Math.max(0, usageBytes - fieldNumber(stat, "inactive_file")),
      rssBytes: fieldNumber(stat, "anon"),
      pageFaults: fieldNumber(stat, "pgfault"),
      majorPageFaults: fieldNumber(stat, "pgmajfault"),
      limitBytes: parseNumber(read("memory", "memory.max")),
    },
    swap:
      swapBytes === undefined
        ? undefined
        : { usageBytes: swapBytes, limitBytes: parseNumber(read("memory", "memory.swap.max")) },
    pressure,
  };
}

/** What metrics tell beyond that. */
export function readV2Details(read: ReadCgroupFile, hugepageSizes: readonly string[]): CgroupDetails {
  const cpu = parseFields(read("cpu", "cpu.stat"));
  const stat = parseFields(read("memory", "memory.stat"));
  const events = parseFields(read("memory", "memory.events"));
  const [quota, period] = (read("cpu", "cpu.max") ?? "").trim().split(" ").map(parseNumber);
  const memoryBytes = parseNumber(read("memory", "memory.max"));
  const swapBytes = parseNumber(read("memory", "memory.swap.max"));
  const reservation = parseNumber(read("memory", "memory.low"));
  return {
    cpuUserNs: microsToNs(cpu.get("user_usec")),
    cpuSystemNs: microsToNs(cpu.get("system_usec")),
    throttling: cpu.has("nr_periods")
      ? {
          periods: fieldNumber(cpu, "nr_periods"),
          throttledPeriods: fieldNumber(cpu, "nr_throttled"),
          throttledNs: microsToNs(cpu.get("throttled_usec")) ?? 0n,
        }
      : undefined,
    memory: stat.has("file")
      ? {
          cacheBytes: fieldNumber(stat, "file"),
          // Before 5.18 the kernel gives no sum.
          kernelBytes: stat.has("kernel") ? fieldNumber(stat, "kernel") : kernelParts(stat),
          mappedFileBytes: fieldNumber(stat, "file_mapped"),
          maxUsageBytes: parseNumber(read("memory", "memory.peak")),
          failCount: events.has("max") ? fieldNumber(events, "max") : undefined,
          oomKills: fieldNumber(events, "oom_kill"),
        }
      : undefined,
    io: parseIo(read("io", "io.stat")),
    hugepages: hugepageSizes.flatMap((pageSize) => readHugepages(read, pageSize)),
    threadCount: parseNumber(read("pids", "pids.current")),
    threadLimit: parseNumber(read("pids", "pids.max")),
    limits: {
      cpuPeriodMicros: period,
      cpuQuotaMicros: quota,
      cpuShares: weightToShares(parseNumber(read("cpu", "cpu.weight"))),
      memoryBytes,
      memoryReservationBytes: reservation === 0 ? undefined : reservation,
      memorySwapBytes: memoryBytes === undefined || swapBytes === undefined ? undefined : memoryBytes + swapBytes,
    },
  };
}

/** Lines such as "some avg10=0.00 avg60=1.20 avg300=0.40 total=123456". undefined: the kernel keeps none. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  const some = pressureLine(text, "some");
  if (some === undefined) return undefined;
  // Before 5.13 there was no "full" line of CPU, since the whole node can't wait for it.
  return { some, full: pressureLine(text, "full") ?? { totalMicros: 0, avg10: 0, avg60: 0, avg300: 0 } };
}

function pressureLine(text: string | undefined, kind: "some" | "full"): PressureLine | undefined {
  const match = new RegExp(`^${kind} avg10=([\\d.]+) avg60=([\\d.]+) avg300=([\\d.]+) total=(\\d+)$`, "m").exec(
    text ?? "",
  );
  if (match === null) return undefined;
  const [avg10 = 0, avg60 = 0, avg300 = 0, totalMicros = 0] = match.slice(1).map(Number);
  return { totalMicros, avg10, avg60, avg300 };
}

/** The runtimes' own formula, backwards: weight 1 to 10000 from shares 2 to 262144. */
function weightToShares(weight: number | undefined): number | undefined {
  return weight === undefined ? undefined : Math.round(2 + ((weight - 1) * 262_142) / 9_999);
}

function kernelParts(stat: ReadonlyMap<string, string>): number {
  return ["kernel_stack", "pagetables", "percpu", "sock", "slab"].reduce(
    (sum, name) => sum + fieldNumber(stat, name),
    0,
  );
}

/** Lines such as "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0". */
function parseIo(text: string | undefined): readonly DeviceUsage[] {
  return [...(text ?? "").matchAll(/^(\d+):(\d+) (.*=.*)$/gm)].map(([, major, minor, rest = ""]) => {
    const counts = new Map(rest.split(" ").map((part) => part.split("=", 2) as [string, string]));
    return {
      major: Number(major),
      minor: Number(minor),
      readBytes: fieldNumber(counts, "rbytes"),
      writtenBytes: fieldNumber(counts, "wbytes"),
      reads: fieldNumber(counts, "rios"),
      writes: fieldNumber(counts, "wios"),
    };
  });
}

function readHugepages(read: ReadCgroupFile, pageSize: string): readonly HugepageUsage[] {
  const usageBytes = parseNumber(read("hugetlb", `hugetlb.${pageSize}.current`));
  return usageBytes === undefined ? [] : [{ pageSize, usageBytes, maxUsageBytes: undefined }];
}

function microsToNs(micros: string | undefined): bigint | undefined {
  return micros === undefined ? undefined : BigInt(micros) * 1000n;
}

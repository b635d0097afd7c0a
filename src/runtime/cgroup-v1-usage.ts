import {
  type CgroupDetails,
  type CgroupUsage,
  type DeviceUsage,
  fieldNumber,
  type HugepageUsage,
  parseFields,
  parseNumber,
  type ReadCgroupFile,
} from "./cgroup-usage.ts";

/** The kernel's "no limit" is the largest number of whole pages; nobody has that much. */
const unlimitedFrom = 2 ** 62;
/** Linux's USER_HZ, what cpuacct.stat counts in; the same on every architecture Node runs on. */
const tickNs = 10_000_000n;

/** The usage that cgroup v1's files tell (Documentation/admin-guide/cgroup-v1). "total_" fields count groups below too. */
export function readV1Usage(read: ReadCgroupFile): Pick<CgroupUsage, "cpuUsageNs" | "memory" | "swap"> {
  const cpu = read("cpuacct", "cpuacct.usage")?.trim();
  const usageBytes = parseNumber(read("memory", "memory.usage_in_bytes"));
  const cpuUsageNs = cpu === undefined ? undefined : BigInt(cpu);
  if (usageBytes === undefined) return { cpuUsageNs, memory: undefined, swap: undefined };
  const stat = parseFields(read("memory", "memory.stat"));
  const memoryLimit = limit(fieldNumber(stat, "hierarchical_memory_limit"));
  const memory = {
    usageBytes,
    workingSetBytes: Math.max(0, usageBytes - fieldNumber(stat, "total_inactive_file")),
    rssBytes: fieldNumber(stat, "total_rss"),
    pageFaults: fieldNumber(stat, "total_pgfault"),
    majorPageFaults: fieldNumber(stat, "total_pgmajfault"),
    limitBytes: memoryLimit,
  };
  if (!stat.has("total_swap")) return { cpuUsageNs, memory, swap: undefined };
  // This limit is on both together.
  const bothLimit = limit(fieldNumber(stat, "hierarchical_memsw_limit"));
  const limitBytes =
    bothLimit === undefined || memoryLimit === undefined ? undefined : Math.max(0, bothLimit - memoryLimit);
  return { cpuUsageNs, memory, swap: { usageBytes: fieldNumber(stat, "total_swap"), limitBytes } };
}

/** What metrics tell beyond that. */
export function readV1Details(read: ReadCgroupFile, hugepageSizes: readonly string[]): CgroupDetails {
  const ticks = parseFields(read("cpuacct", "cpuacct.stat"));
  const throttled = parseFields(read("cpu", "cpu.stat"));
  const stat = parseFields(read("memory", "memory.stat"));
  const quota = parseNumber(read("cpu", "cpu.cfs_quota_us"));
  return {
    cpuUserNs: ticksNs(ticks.get("user")),
    cpuSystemNs: ticksNs(ticks.get("system")),
    throttling: throttled.has("nr_periods")
      ? {
          periods: fieldNumber(throttled, "nr_periods"),
          throttledPeriods: fieldNumber(throttled, "nr_throttled"),
          throttledNs: BigInt(throttled.get("throttled_time") ?? 0),
        }
      : undefined,
    memory: stat.has("total_cache")
      ? {
          cacheBytes: fieldNumber(stat, "total_cache"),
          kernelBytes: parseNumber(read("memory", "memory.kmem.usage_in_bytes")),
          mappedFileBytes: fieldNumber(stat, "total_mapped_file"),
          maxUsageBytes: parseNumber(read("memory", "memory.max_usage_in_bytes")),
          failCount: parseNumber(read("memory", "memory.failcnt")),
          oomKills: fieldNumber(parseFields(read("memory", "memory.oom_control")), "oom_kill"),
        }
      : undefined,
    io: readDevices(read),
    hugepages: hugepageSizes.flatMap((pageSize) => readHugepages(read, pageSize)),
    threadCount: parseNumber(read("pids", "pids.current")),
    threadLimit: parseNumber(read("pids", "pids.max")),
    limits: {
      cpuPeriodMicros: parseNumber(read("cpu", "cpu.cfs_period_us")),
      cpuQuotaMicros: quota === undefined || quota < 0 ? undefined : quota,
      cpuShares: parseNumber(read("cpu", "cpu.shares")),
      memoryBytes: limit(parseNumber(read("memory", "memory.limit_in_bytes"))),
      memoryReservationBytes: limit(parseNumber(read("memory", "memory.soft_limit_in_bytes"))),
      memorySwapBytes: limit(parseNumber(read("memory", "memory.memsw.limit_in_bytes"))),
    },
  };
}

function limit(bytes: number | undefined): number | undefined {
  return bytes === undefined || bytes <= 0 || bytes >= unlimitedFrom ? undefined : bytes;
}

function ticksNs(ticks: string | undefined): bigint | undefined {
  return ticks === undefined ? undefined : BigInt(ticks) * tickNs;
}

/** Lines such as "8:0 Read 4096"; the throttling policy counts every request, whatever scheduler the device has. */
function readDevices(read: ReadCgroupFile): readonly DeviceUsage[] {
  const devices = new Map<string, { bytes: Map<string, number>; requests: Map<string, number> }>();
  const collect = (kind: "bytes" | "requests", text: string | undefined) => {
    for (const [, device = "", operation = "", count = ""] of (text ?? "").matchAll(/^(\d+:\d+) (\w+) (\d+)$/gm)) {
      const counts = devices.get(device) ?? { bytes: new Map(), requests: new Map() };
      counts[kind].set(operation, Number(count));
      devices.set(device, counts);
    }
  };
  collect("bytes", read("blkio", "blkio.throttle.io_service_bytes_recursive"));
  collect("requests", read("blkio", "blkio.throttle.io_serviced_recursive"));
  return [...devices].map(([device, { bytes, requests }]) => {
    const [major = 0, minor = 0] = device.split(":").map(Number);
    return {
      major,
      minor,
      readBytes: bytes.get("Read") ?? 0,
      writtenBytes: bytes.get("Write") ?? 0,
      reads: requests.get("Read") ?? 0,
      writes: requests.get("Write") ?? 0,
    };
  });
}

function readHugepages(read: ReadCgroupFile, pageSize: string): readonly HugepageUsage[] {
  const usageBytes = parseNumber(read("hugetlb", `hugetlb.${pageSize}.usage_in_bytes`));
  if (usageBytes === undefined) return [];
  return [
    { pageSize, usageBytes, maxUsageBytes: parseNumber(read("hugetlb", `hugetlb.${pageSize}.max_usage_in_bytes`)) },
  ];
}

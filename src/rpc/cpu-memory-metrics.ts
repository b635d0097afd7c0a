import { labelled, type MeteredContainer, type MetricFamily, plain, wholeSeconds } from "./metric-family.ts";

const details = ({ reading }: MeteredContainer) => reading.details;
const memory = (container: MeteredContainer) => details(container)?.memory;
const usage = ({ reading }: MeteredContainer) => reading.usage;

/** Time in which tasks waited (some) or all stalled (full), which the kernel keeps under cgroup v2. */
function pressure(resource: "cpu" | "memory" | "io", kind: "some" | "full"): MetricFamily<MeteredContainer> {
  const [word, who] = kind === "some" ? ["waiting", "some tasks"] : ["stalled", "all tasks"];
  return plain(
    "COUNTER",
    `pressure_${resource}_${word}_seconds_total`,
    `Time in which ${who} of the container waited for ${resource}, in seconds.`,
    (container) => {
      const line = usage(container).pressure?.[resource]?.[kind];
      return line && Math.floor(line.totalMicros / 1e6);
    },
  );
}

/** What containers use of CPU and memory. */
export const cpuAndMemoryMetrics: readonly MetricFamily<MeteredContainer>[] = [
  plain("COUNTER", "cpu_usage_seconds_total", "CPU time used, in seconds.", (one) =>
    wholeSeconds(usage(one).cpuUsageNs),
  ),
  plain("COUNTER", "cpu_user_seconds_total", "CPU time used outside the kernel, in seconds.", (one) =>
    wholeSeconds(details(one)?.cpuUserNs),
  ),
  plain("COUNTER", "cpu_system_seconds_total", "CPU time used inside the kernel, in seconds.", (one) =>
    wholeSeconds(details(one)?.cpuSystemNs),
  ),
  plain(
    "COUNTER",
    "cpu_cfs_periods_total",
    "Periods in which the CPU quota was enforced.",
    (one) => details(one)?.throttling?.periods ?? 0,
  ),
  plain(
    "COUNTER",
    "cpu_cfs_throttled_periods_total",
    "Periods in which the CPU quota was used up.",
    (one) => details(one)?.throttling?.throttledPeriods ?? 0,
  ),
  plain(
    "COUNTER",
    "cpu_cfs_throttled_seconds_total",
    "Time spent waiting for the next CPU period, in seconds.",
    (one) => wholeSeconds(details(one)?.throttling?.throttledNs ?? 0n),
  ),
  plain("GAUGE", "memory_usage_bytes", "Memory in use, file pages included.", (one) => usage(one).memory?.usageBytes),
  plain(
    "GAUGE",
    "memory_working_set_bytes",
    "Memory in use without file pages that can be dropped at once.",
    (one) => usage(one).memory?.workingSetBytes,
  ),
  plain("GAUGE", "memory_rss", "Anonymous memory in bytes.", (one) => usage(one).memory?.rssBytes),
  plain("GAUGE", "memory_cache", "File pages in bytes.", (one) => memory(one)?.cacheBytes),
  plain("GAUGE", "memory_mapped_file", "Mapped file pages in bytes.", (one) => memory(one)?.mappedFileBytes),
  plain(
    "GAUGE",
    "memory_kernel_usage",
    "Memory the kernel uses for the container, in bytes.",
    (one) => memory(one)?.kernelBytes ?? 0,
  ),
  plain("GAUGE", "memory_swap", "Swap in use, in bytes.", (one) => usage(one).swap?.usageBytes ?? 0),
  plain(
    "GAUGE",
    "memory_max_usage_bytes",
    "The most memory that ever was in use.",
    (one) => memory(one)?.maxUsageBytes ?? 0,
  ),
  plain("COUNTER", "memory_failcnt", "How often the memory limit was hit.", (one) => memory(one)?.failCount ?? 0),
  labelled(
    "COUNTER",
    "memory_failures_total",
    "Page faults; major ones had to read from a disk.",
    ["failure_type", "scope"],
    (one) => [
      { labels: ["pgfault", "container"], value: usage(one).memory?.pageFaults ?? 0 },
      { labels: ["pgmajfault", "container"], value: usage(one).memory?.majorPageFaults ?? 0 },
    ],
  ),
  plain(
    "COUNTER",
    "oom_events_total",
    "Processes the kernel killed for want of memory.",
    (one) => memory(one)?.oomKills ?? 0,
  ),
  labelled("GAUGE", "hugetlb_usage_bytes", "Huge pages in use, in bytes.", ["pagesize"], (one) =>
    (details(one)?.hugepages ?? []).map(({ pageSize, usageBytes }) => ({ labels: [pageSize], value: usageBytes })),
  ),
  labelled(
    "GAUGE",
    "hugetlb_max_usage_bytes",
    "The most huge pages that ever were in use, in bytes.",
    ["pagesize"],
    (one) =>
      (details(one)?.hugepages ?? []).flatMap(({ pageSize, maxUsageBytes }) =>
        maxUsageBytes === undefined ? [] : [{ labels: [pageSize], value: maxUsageBytes }],
      ),
  ),
  pressure("cpu", "some"),
  pressure("cpu", "full"),
  pressure("memory", "some"),
  pressure("memory", "full"),
  pressure("io", "some"),
  pressure("io", "full"),
];

const limits = (container: MeteredContainer) => details(container)?.limits;

/** The limits containers run under. No limit is 0, as in cAdvisor, except where the family is left out then. */
export const limitMetrics: readonly MetricFamily<MeteredContainer>[] = [
  plain("GAUGE", "spec_cpu_period", "Period of the CPU quota, in microseconds.", (one) => limits(one)?.cpuPeriodMicros),
  plain("GAUGE", "spec_cpu_quota", "CPU time a period allows, in microseconds.", (one) => limits(one)?.cpuQuotaMicros),
  plain(
    "GAUGE",
    "spec_cpu_shares",
    "Weight among others that want CPU, 1024 being a whole one.",
    (one) => limits(one)?.cpuShares,
  ),
  plain("GAUGE", "spec_memory_limit_bytes", "Memory limit in bytes; 0: none.", (one) => limits(one)?.memoryBytes ?? 0),
  plain(
    "GAUGE",
    "spec_memory_reservation_limit_bytes",
    "Memory that is kept for it under pressure, in bytes; 0: none.",
    (one) => limits(one)?.memoryReservationBytes ?? 0,
  ),
  plain(
    "GAUGE",
    "spec_memory_swap_limit_bytes",
    "Limit of memory and swap together, in bytes; 0: none.",
    (one) => limits(one)?.memorySwapBytes ?? 0,
  ),
];

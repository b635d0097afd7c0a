import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseFields, parseNumber, type ReadCgroupFile } from "../../src/runtime/cgroup-usage.ts";
import { readV1Details, readV1Usage } from "../../src/runtime/cgroup-v1-usage.ts";
import { parsePressure, readV2Details, readV2Usage } from "../../src/runtime/cgroup-v2-usage.ts";
import { parseSoftLimits } from "../../src/runtime/process-usage.ts";
import { parseLinkCounters } from "../../src/system/link-counters.ts";

const group =
  (files: Readonly<Record<string, string>>): ReadCgroupFile =>
  (_controller, file) =>
    files[file];

const unlimited = "9223372036854771712";

/** As kernel 6.18 writes them. */
const v1 = {
  "cpuacct.usage": "123456789012345678\n",
  "cpuacct.stat": "user 250\nsystem 50\n",
  "cpu.stat": "nr_periods 10\nnr_throttled 3\nthrottled_time 70000000\nnr_bursts 0\nburst_time 0\n",
  "cpu.cfs_quota_us": "50000\n",
  "cpu.cfs_period_us": "100000\n",
  "cpu.shares": "512\n",
  "memory.usage_in_bytes": "10000000\n",
  "memory.max_usage_in_bytes": "12000000\n",
  "memory.failcnt": "7\n",
  "memory.kmem.usage_in_bytes": "400000\n",
  "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
  "memory.limit_in_bytes": "20000000\n",
  "memory.soft_limit_in_bytes": `${unlimited}\n`,
  "memory.memsw.limit_in_bytes": "25000000\n",
  "memory.stat":
    "cache 1\nrss 2\nhierarchical_memory_limit 20000000\nhierarchical_memsw_limit 25000000\ntotal_cache 5000000\n" +
    "total_rss 4000000\ntotal_mapped_file 100\ntotal_swap 1000\ntotal_pgfault 30\ntotal_pgmajfault 4\ntotal_inactive_file 3000000\n",
  "blkio.throttle.io_service_bytes_recursive":
    "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 0\n8:0 Async 12288\n8:0 Discard 0\n8:0 Total 12288\nTotal 12288\n",
  "blkio.throttle.io_serviced_recursive": "8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n",
  "pids.current": "3\n",
  "pids.max": "max\n",
};

const v2 = {
  "cpu.stat":
    "usage_usec 123456789012345\nuser_usec 2500000\nsystem_usec 500000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 70000\n",
  "cpu.pressure":
    "some avg10=1.50 avg60=0.25 avg300=0.00 total=1234567\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1000\n",
  "memory.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=4\n",
  "io.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  "cpu.max": "50000 100000\n",
  "cpu.weight": "20\n",
  "memory.current": "10000000\n",
  "memory.peak": "12000000\n",
  "memory.max": "20000000\n",
  "memory.low": "0\n",
  "memory.swap.current": "1000\n",
  "memory.swap.max": "5000000\n",
  "memory.events": "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\noom_group_kill 0\n",
  "memory.stat":
    "anon 4000000\nfile 5000000\nkernel 400000\nfile_mapped 100\ninactive_file 3000000\npgfault 30\npgmajfault 4\n",
  "io.stat": "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n7:0 rbytes=1\n",
  "pids.current": "3\n",
  "pids.max": "100\n",
};

const memory = {
  usageBytes: 10_000_000,
  workingSetBytes: 7_000_000,
  rssBytes: 4_000_000,
  pageFaults: 30,
  majorPageFaults: 4,
  limitBytes: 20_000_000,
};
const details = {
  cpuUserNs: 2_500_000_000n,
  cpuSystemNs: 500_000_000n,
  throttling: { periods: 10, throttledPeriods: 3, throttledNs: 70_000_000n },
  memory: {
    cacheBytes: 5_000_000,
    kernelBytes: 400_000,
    mappedFileBytes: 100,
    maxUsageBytes: 12_000_000,
    failCount: 7,
    oomKills: 2,
  },
  hugepages: [],
  threadCount: 3,
};
const disk = { major: 8, minor: 0, readBytes: 4096, writtenBytes: 8192, reads: 1, writes: 2 };

describe("cgroup v1", () => {
  test("usage of a limited group, the groups below included", () => {
    expect(readV1Usage(group(v1))).toEqual({
      cpuUsageNs: 123_456_789_012_345_678n,
      memory,
      swap: { usageBytes: 1000, limitBytes: 5_000_000 },
    });
  });

  test("no limit is no limit, and a kernel that counts no swap tells none", () => {
    const stat = `hierarchical_memory_limit ${unlimited}\ntotal_inactive_file 99999999\n`;
    const { memory: free, swap } = readV1Usage(group({ "memory.usage_in_bytes": "5\n", "memory.stat": stat }));
    expect([free?.limitBytes, free?.workingSetBytes, swap]).toEqual([undefined, 0, undefined]);
  });

  test("details", () => {
    expect(readV1Details(group(v1), ["2MB"])).toEqual({
      ...details,
      io: [disk],
      threadLimit: undefined,
      limits: {
        cpuPeriodMicros: 100_000,
        cpuQuotaMicros: 50_000,
        cpuShares: 512,
        memoryBytes: 20_000_000,
        memoryReservationBytes: undefined,
        memorySwapBytes: 25_000_000,
      },
    });
    expect(readV1Details(group({ ...v1, "cpu.cfs_quota_us": "-1\n" }), []).limits.cpuQuotaMicros).toBeUndefined();
  });

  test("huge pages of the sizes the kernel has", () => {
    const files = { "hugetlb.2MB.usage_in_bytes": "2097152\n", "hugetlb.2MB.max_usage_in_bytes": "4194304\n" };
    expect(readV1Details(group(files), ["2MB", "1GB"]).hugepages).toEqual([
      { pageSize: "2MB", usageBytes: 2_097_152, maxUsageBytes: 4_194_304 },
    ]);
  });

  test("a group that has gone has no figures", () => {
    expect(readV1Usage(group({}))).toEqual({ cpuUsageNs: undefined, memory: undefined, swap: undefined });
  });
});

describe("cgroup v2", () => {
  test("usage of a limited group with pressure", () => {
    const none = { totalMicros: 0, avg10: 0, avg60: 0, avg300: 0 };
    expect(readV2Usage(group(v2))).toEqual({
      cpuUsageNs: 123_456_789_012_345_000n,
      memory,
      swap: { usageBytes: 1000, limitBytes: 5_000_000 },
      pressure: {
        cpu: {
          some: { totalMicros: 1_234_567, avg10: 1.5, avg60: 0.25, avg300: 0 },
          full: { totalMicros: 1000, avg10: 0.5, avg60: 0, avg300: 0 },
        },
        memory: { some: { ...none, totalMicros: 5 }, full: { ...none, totalMicros: 4 } },
        io: { some: none, full: none },
      },
    });
  });

  test('"max" is no limit, and a kernel without swap or pressure tells none', () => {
    const {
      memory: free,
      swap,
      pressure,
    } = readV2Usage(group({ "memory.current": "5\n", "memory.stat": "anon 1\n", "memory.max": "max\n" }));
    expect([free?.limitBytes, swap, pressure]).toEqual([
      undefined,
      undefined,
      { cpu: undefined, memory: undefined, io: undefined },
    ]);
  });

  test("details; shares are the runtimes' own conversion backwards", () => {
    expect(readV2Details(group(v2), [])).toEqual({
      ...details,
      io: [disk, { major: 7, minor: 0, readBytes: 1, writtenBytes: 0, reads: 0, writes: 0 }],
      threadLimit: 100,
      limits: {
        cpuPeriodMicros: 100_000,
        cpuQuotaMicros: 50_000,
        cpuShares: 500,
        memoryBytes: 20_000_000,
        memoryReservationBytes: undefined,
        memorySwapBytes: 25_000_000,
      },
    });
    const unlimitedGroup = readV2Details(group({ "cpu.max": "max 100000\n", "cpu.weight": "1\n" }), []);
    expect(unlimitedGroup.limits).toMatchObject({ cpuPeriodMicros: 100_000, cpuQuotaMicros: undefined, cpuShares: 2 });
  });

  test("pressure of a kernel that keeps no full line of CPU", () => {
    expect(parsePressure("some avg10=0.10 avg60=0.00 avg300=0.00 total=9\n")).toMatchObject({
      some: { totalMicros: 9 },
      full: { totalMicros: 0 },
    });
    expect(parsePressure(undefined)).toBeUndefined();
  });
});

test("no text of a kernel file makes the parsers throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const read: ReadCgroupFile = (_controller, file) => (file === "cpuacct.usage" ? undefined : text);
      readV1Usage(read);
      readV1Details(read, ["2MB"]);
      parseNumber(text);
      parseFields(text);
      parsePressure(text);
      parseSoftLimits(text);
      parseLinkCounters(text);
    }),
  );
});

test("parseSoftLimits() knows what has no limit", () => {
  const limits =
    "Limit                     Soft Limit           Hard Limit           Units     \n" +
    "Max cpu time              unlimited            unlimited            seconds   \n" +
    "Max open files            1024                 4096                 files     \n";
  expect([...parseSoftLimits(limits)]).toEqual([
    ["max_cpu_time", -1],
    ["max_open_files", 1024],
  ]);
});

test("parseLinkCounters() reads the kernel's table, numbers right behind the colon included", () => {
  const table =
    "Inter-|   Receive                                                |  Transmit\n" +
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n" +
    "    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n" +
    "  eth0:98765432109 12    1    2    0     0          0         0     3456      78    3    4    0     0       0          0\n";
  expect(parseLinkCounters(table)[1]).toEqual({
    name: "eth0",
    received: { bytes: 98_765_432_109, packets: 12, errors: 1, dropped: 2 },
    sent: { bytes: 3456, packets: 78, errors: 3, dropped: 4 },
  });
});

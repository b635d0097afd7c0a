import { describe, expect, test } from "vitest";
import type { Resources } from "../../src/runtime/container-settings.ts";
import { mergeResources, revertedResources } from "../../src/runtime/merge-resources.ts";
import { int64 } from "./spec-fixture.ts";

const none: Resources = { oomScoreAdj: 0, hugepageLimits: [], unified: {} };
const page = (pageSize: string, bytes: number) => ({ pageSize, limitBytes: int64(bytes) });

describe("mergeResources()", () => {
  test.each<[string, Partial<Resources>, Partial<Resources>, Partial<Resources>]>([
    ["keeps what is not named", { cpuShares: int64(2) }, { cpusetCpus: "0" }, { cpuShares: int64(2), cpusetCpus: "0" }],
    ["replaces what is named", { cpuShares: int64(2) }, { cpuShares: int64(4) }, { cpuShares: int64(4) }],
    [
      "drops a swap limit that a new memory limit says nothing of",
      { memoryLimitBytes: int64(10), memorySwapLimitBytes: int64(20) },
      { memoryLimitBytes: int64(30) },
      { memoryLimitBytes: int64(30) },
    ],
    [
      "takes a swap limit alone",
      { memoryLimitBytes: int64(10) },
      { memorySwapLimitBytes: int64(20) },
      { memoryLimitBytes: int64(10), memorySwapLimitBytes: int64(20) },
    ],
    [
      "merges huge pages by size and unified files by name",
      { hugepageLimits: [page("2MB", 1), page("1GB", 1)], unified: { "memory.high": "1", "io.max": "x" } },
      { hugepageLimits: [page("2MB", 2)], unified: { "memory.high": "2" } },
      { hugepageLimits: [page("1GB", 1), page("2MB", 2)], unified: { "memory.high": "2", "io.max": "x" } },
    ],
    ["leaves the OOM score", { oomScoreAdj: 7 }, { oomScoreAdj: 100 }, { oomScoreAdj: 7 }],
  ])("%s", (_, current, change, want) => {
    expect(mergeResources({ ...none, ...current }, { ...none, ...change })).toEqual({ ...none, ...want });
  });
});

describe("revertedResources()", () => {
  test("lifts what had no limit, restores what had one", () => {
    const before = { ...none, cpuShares: int64(2) };
    const attempted = { ...none, cpuShares: int64(9), cpuQuotaMicros: int64(1000), memoryLimitBytes: int64(5) };
    expect(revertedResources(before, attempted)).toEqual({
      ...none,
      cpuShares: "2",
      cpuQuotaMicros: "-1",
      memoryLimitBytes: "-1",
    });
  });
});

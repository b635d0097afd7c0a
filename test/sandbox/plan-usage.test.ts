import { describe, expect, test } from "vitest";
import { parseInstanceName, parseSandboxId } from "../../src/common/ids.ts";
import type { CgroupUsage } from "../../src/runtime/cgroup-usage.ts";
import { planContainerGroup, planPodGroup } from "../../src/sandbox/plan-usage.ts";
import { addUsage } from "../../src/sandbox/usage-sum.ts";
import { containerRecord, sandboxRecord, sandboxSpec } from "./records.ts";

const layout = { instance: parseInstanceName("test"), root: "/root", state: "/state" };
const [a, b] = ["a", "b"].map((digit) => parseSandboxId(digit.repeat(64)));
const pod = (id: typeof a, cgroupParent: string, pid: "pod" | "container" = "container") =>
  sandboxRecord({
    ...(id && { id }),
    spec: { ...sandboxSpec, cgroupParent, namespaces: { ...sandboxSpec.namespaces, pid } },
  });

describe("planPodGroup()", () => {
  test.each([
    ["the agent's own place", "", "", `/podling-test/${a}`],
    ["a group of its own", "/kubepods/pod-a", "/kubepods/pod-b", "/kubepods/pod-a"],
    ["names that begin alike", "/kubepods/pod", "/kubepods/pod-b", "/kubepods/pod"],
  ])("%s is the pod's", (_name, parent, other, path) => {
    const one = pod(a, parent);
    expect(planPodGroup(layout, one, [one, pod(b, other)], "usage")).toEqual({
      kind: "own",
      group: { path, detail: "usage", countProcesses: true },
    });
  });

  test.each([
    ["the same group", "/many", "/many"],
    ["written otherwise", "/many", "//many/"],
    ["one of them below the other's", "/many", "/many/b"],
  ])("%s is added up from its parts", (_name, parent, other) => {
    const one = pod(a, parent, "pod");
    expect(planPodGroup(layout, one, [one, pod(b, other)], "usage")).toEqual({
      kind: "sum",
      holder: { path: `${parent}/${a}`, detail: "usage", countProcesses: true },
    });
    const apart = pod(a, parent);
    expect(planPodGroup(layout, apart, [apart, pod(b, other)], "usage")).toEqual({ kind: "sum", holder: undefined });
  });
});

test("planContainerGroup() asks for what runs only", () => {
  const sandbox = pod(a, "/kubepods/pod-a");
  const running = containerRecord({ kind: "running", startedAtMs: 1, pid: 77 });
  expect(planContainerGroup(layout, running, sandbox, "details", true)).toEqual({
    path: `/kubepods/pod-a/${running.id}`,
    detail: "details",
    countProcesses: true,
    firstPid: 77,
    diskDirectory: `/root/containers/${running.id}`,
  });
  expect(planContainerGroup(layout, containerRecord({ kind: "created" }), sandbox, "usage", false)).toBeUndefined();
});

describe("addUsage()", () => {
  const memory = { usageBytes: 5, workingSetBytes: 4, rssBytes: 3, pageFaults: 2, majorPageFaults: 1, limitBytes: 9 };
  const part: CgroupUsage = {
    atMs: 10,
    cpuUsageNs: 2n ** 60n,
    memory,
    swap: { usageBytes: 7, limitBytes: 8 },
    pressure: undefined,
    processCount: 2,
  };

  test("adds what can be added", () => {
    expect(addUsage([part, { ...part, atMs: 12, swap: undefined, cpuUsageNs: 1n }])).toEqual({
      atMs: 12,
      cpuUsageNs: 2n ** 60n + 1n,
      memory: {
        usageBytes: 10,
        workingSetBytes: 8,
        rssBytes: 6,
        pageFaults: 4,
        majorPageFaults: 2,
        limitBytes: undefined,
      },
      swap: { usageBytes: 7, limitBytes: undefined },
      pressure: undefined,
      processCount: 4,
    });
  });

  test("knows nothing of nothing", () => {
    expect(addUsage([])).toBeUndefined();
    expect(addUsage([{ ...part, memory: undefined, swap: undefined }])).toMatchObject({ memory: undefined });
  });
});

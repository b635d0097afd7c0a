import { describe, expect, test } from "vitest";
import { propagationAt } from "../../src/runtime/bind-sources.ts";
import { parseCapabilityMask } from "../../src/runtime/capability-names.ts";
import { parseHeldCapabilities, parseNofileHardLimit, readHostFacts } from "../../src/runtime/host-facts.ts";
import { parseCgroupMounts } from "../../src/system/cgroup.ts";
import { parseMountInfo } from "../../src/system/mountinfo.ts";

test("parseCapabilityMask() names bits", () => {
  expect(parseCapabilityMask("0000000000000421")).toEqual(["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
});

test("parseHeldCapabilities() keeps what is permitted within the bounding set", () => {
  const status =
    "Name:\tx\nCapInh:\t0000000000000000\nCapPrm:\t0000000000000003\nCapEff:\t0000000000000003\nCapBnd:\t0000000000000006\n";
  expect([...parseHeldCapabilities(status)]).toEqual(["CAP_DAC_OVERRIDE"]);
});

test.each([
  ["Max open files            1024                 20000                files     \n", 20_000],
  ["Max open files            1024                 unlimited            files     \n", Number.POSITIVE_INFINITY],
])("parseNofileHardLimit(%j) is %d", (text, want) => {
  expect(parseNofileHardLimit(`Max processes 1 2 processes\n${text}`)).toBe(want);
});

test("readHostFacts() knows this host", () => {
  const facts = readHostFacts();
  expect([1, 2]).toContain(facts.cgroupVersion);
  expect(facts.cgroupControllers.has("memory")).toBe(true);
  expect(facts.ownOomScoreAdj).toBeGreaterThanOrEqual(-1000);
});

describe("parseCgroupMounts()", () => {
  const line = (target: string, rest: string) => `39 31 0:28 / ${target} rw,relatime shared:9 - ${rest}\n`;
  test("tells trees, their controllers and copies elsewhere apart", () => {
    const text = [
      line("/sys/fs/cgroup", "tmpfs tmpfs rw,mode=755"),
      line("/sys/fs/cgroup/cpu,cpuacct", "cgroup cgroup rw,cpu,cpuacct"),
      line("/sys/fs/cgroup/systemd", "cgroup cgroup rw,xattr,name=systemd"),
      line("/sys/fs/cgroup/unified", "cgroup2 cgroup2 rw,nsdelegate"),
      line("/run/pod/rootfs/sys/fs/cgroup/memory", "cgroup cgroup rw,memory"),
    ].join("");
    expect(parseCgroupMounts(text)).toEqual([
      { target: "/sys/fs/cgroup/cpu,cpuacct", version: 1, controllers: ["cpu", "cpuacct"] },
      { target: "/sys/fs/cgroup/systemd", version: 1, controllers: [] },
      { target: "/sys/fs/cgroup/unified", version: 2, controllers: [] },
    ]);
  });
});

test.each([
  ["/", "shared"],
  ["/data", "slave"],
  ["/data/x/y", "private"],
  ["/database", "shared"],
])("propagationAt(%j) is %s", (path, want) => {
  const table = parseMountInfo(
    [
      "1 0 8:1 / / rw shared:1 - ext4 /dev/sda rw",
      "2 1 8:2 / /data rw shared:2 - ext4 /dev/sdb rw",
      "3 2 8:3 / /data rw master:3 - ext4 /dev/sdc rw",
      "4 3 8:4 / /data/x rw - ext4 /dev/sdd rw",
    ].join("\n"),
  );
  expect(propagationAt(path, table)).toBe(want);
});

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { capabilityNames, defaultCapabilities } from "../../src/runtime/capability-names.ts";
import { renderOciSpec } from "../../src/runtime/oci-spec.ts";
import { planSpec } from "../../src/runtime/plan-spec.ts";
import { noFeatures } from "../../src/runtime/runtime-features.ts";
import { type InputChanges, int64, plainFacts, specInput } from "./spec-fixture.ts";

const bind = (hostPath: string, containerPath: string) =>
  ({ hostPath, containerPath, readonly: false, propagation: "private" }) as const;

/** Whole specs, as files: what a reader of the planner's changes wants to see. UPDATE_SPECS=1 writes them anew. */
const golden: Readonly<Record<string, InputChanges>> = {
  "plain-v1": {},
  "everything-v2": {
    settings: {
      command: ["/bin/sh", "-c"],
      args: ["run"],
      workingDir: "/srv",
      envs: [{ name: "LANG", value: "de_DE=x" }],
      tty: true,
      mounts: [
        { hostPath: "/host/data", containerPath: "/data/", readonly: true, propagation: "private" },
        { hostPath: "/host/link", containerPath: "/etc/hosts", readonly: false, propagation: "host-to-container" },
      ],
    },
    security: {
      readonlyRootfs: true,
      noNewPrivileges: true,
      capabilities: { add: ["CAP_NET_ADMIN"], drop: ["CAP_MKNOD"] },
      maskedPaths: ["/proc/keys"],
      readonlyPaths: [],
      pid: { kind: "target", containerId: "other" },
    },
    resources: {
      cpuPeriodMicros: int64(100_000),
      cpuQuotaMicros: int64(-1),
      cpuShares: int64(512),
      memoryLimitBytes: int64("9223372036854775807"),
      memorySwapLimitBytes: int64(-1),
      oomScoreAdj: -500,
      cpusetCpus: "0-1",
      cpusetMems: "0",
      hugepageLimits: [{ pageSize: "2MB", limitBytes: int64("9007199254740993") }],
      unified: { "memory.high": "1000000" },
    },
    image: { entrypoint: ["/entry"], workingDir: "/image", volumes: ["/cache"] },
    facts: {
      cgroupVersion: 2,
      cgroupControllers: new Set(["cpu", "cpuset", "memory", "hugetlb"]),
      capabilities: new Set(capabilityNames),
      hasCapSysResource: true,
    },
    rest: {
      user: { uid: 1000, gid: 1000, supplementalGroups: [5, 1000] },
      targetPidNamespacePath: "/proc/77/ns/pid",
      bindSources: new Map([["/host/link", { path: "/host/real", propagation: "slave" }]]),
      volumes: [{ source: "/disk/volumes/0", destination: "/cache" }],
    },
  },
  "mounts-and-devices": {
    settings: {
      mounts: [
        {
          hostPath: "/host/deep",
          containerPath: "/deep",
          readonly: true,
          propagation: "private",
          recursiveReadOnly: true,
          options: ["noexec"],
        },
        { hostPath: "/host/shared", containerPath: "/shared", readonly: false, propagation: "bidirectional" },
        { image: "example.com/data:1", imageSubPath: "etc", containerPath: "/data" },
      ],
    },
    security: { readonlyRootfs: true },
    rest: {
      features: { ...noFeatures, recursiveReadOnly: true },
      bindSources: new Map([["/host/shared", { path: "/mnt/shared", propagation: "shared" }]]),
      imageSources: new Map([["/data", "/run/podling/containers/c0ffee/images/0/part"]]),
      devices: [
        { path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0, access: "rw" },
        { path: "/dev/disk", type: "b", major: 8, minor: 16, fileMode: 0o660, uid: 0, gid: 6, access: "r" },
      ],
    },
  },
  "user-namespace": {
    sandbox: {
      user: {
        path: "/run/pod/ns/user",
        mapping: {
          uids: { containerId: 0, hostId: 100_000, length: 65_536 },
          gids: { containerId: 0, hostId: 200_000, length: 65_536 },
        },
      },
      sysctls: { "kernel.shm_rmid_forced": "1" },
    },
  },
  "privileged-host-network": {
    security: { privileged: true, pid: { kind: "node" }, capabilities: { add: [], drop: ["ALL"] } },
    sandbox: { privileged: true, netnsPath: undefined, utsPath: undefined },
    rest: {
      hostDevices: [{ path: "/dev/kmsg", type: "c", major: 1, minor: 11, fileMode: 0o600, uid: 0, gid: 0 }],
    },
  },
};

describe("planSpec() writes", () => {
  test.each(Object.entries(golden))("%s", (name, changes) => {
    const file = join(import.meta.dirname, "../fixtures/specs", `${name}.json`);
    const text = renderOciSpec(planSpec(specInput(changes)));
    if (process.env["UPDATE_SPECS"]) writeFileSync(file, `${prettyJson(text)}\n`);
    expect(prettyJson(text)).toBe(prettyJson(readFileSync(file, "utf8")));
  });
});

/** Indents JSON without reading its numbers, which may not fit a number of ours. */
function prettyJson(text: string): string {
  const marked = text.replace(/:\s*(-?\d{16,})/g, ':"exact $1"');
  return JSON.stringify(JSON.parse(marked), undefined, 2).replace(/"exact (-?\d+)"/g, "$1");
}

describe("planSpec() composes the command", () => {
  test.each([
    { entrypoint: ["e"], cmd: ["c"], command: [], args: [], want: ["e", "c"] },
    { entrypoint: ["e"], cmd: ["c"], command: [], args: ["a"], want: ["e", "a"] },
    { entrypoint: ["e"], cmd: ["c"], command: ["x"], args: [], want: ["x"] },
    { entrypoint: ["e"], cmd: ["c"], command: ["x"], args: ["a"], want: ["x", "a"] },
    { entrypoint: [], cmd: ["c"], command: [], args: [], want: ["c"] },
    { entrypoint: [""], cmd: ["c"], command: [], args: [], want: ["c"] },
  ])("%j", ({ entrypoint, cmd, command, args, want }) => {
    expect(planSpec(specInput({ image: { entrypoint, cmd }, settings: { command, args } })).process.args).toEqual(want);
  });
});

describe("planSpec() composes the environment", () => {
  const envOf = (changes: InputChanges) => planSpec(specInput(changes)).process.env;
  test.each<[string, InputChanges, readonly string[]]>([
    [
      "a PATH where the image has none",
      { image: { env: [] } },
      ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=pod-host"],
    ],
    [
      "the request over the image over the defaults, each in its first place",
      {
        settings: {
          tty: true,
          envs: [
            { name: "A", value: "2" },
            { name: "HOSTNAME", value: "mine" },
            { name: "EMPTY", value: "" },
          ],
        },
        image: { env: ["PATH=/bin", "A=1", "B=1"] },
      },
      ["PATH=/bin", "TERM=xterm", "HOSTNAME=mine", "A=2", "B=1", "EMPTY="],
    ],
    [
      "no variable that the image names without a value",
      { image: { env: ["PATH=/bin", "X=1", "X"] } },
      ["PATH=/bin", "HOSTNAME=pod-host"],
    ],
  ])("%s", (_, changes, want) => {
    expect(envOf(changes)).toEqual(want);
  });
});

describe("planSpec() grants capabilities", () => {
  const all = capabilityNames.filter((name) => plainFacts.capabilities.has(name));
  test.each<{ add: readonly string[]; drop: readonly string[]; want: readonly string[] }>([
    { add: [], drop: [], want: defaultCapabilities },
    { add: [], drop: ["ALL"], want: [] },
    { add: ["CAP_KILL"], drop: ["ALL"], want: ["CAP_KILL"] },
    { add: ["ALL"], drop: [], want: all },
    { add: ["ALL"], drop: ["ALL"], want: [] },
    { add: ["ALL"], drop: ["CAP_KILL"], want: all.filter((name) => name !== "CAP_KILL") },
    { add: ["net_admin"], drop: ["ALL"], want: ["CAP_NET_ADMIN"] },
    { add: ["CAP_KILL"], drop: ["CAP_KILL"], want: defaultCapabilities.filter((name) => name !== "CAP_KILL") },
  ])("add $add drop $drop", ({ add, drop, want }) => {
    const { capabilities } = planSpec(specInput({ security: { capabilities: { add, drop } } })).process;
    expect(new Set(capabilities.bounding)).toEqual(new Set(want));
    expect(capabilities).toEqual({
      bounding: capabilities.bounding,
      effective: capabilities.bounding,
      permitted: capabilities.bounding,
    });
  });

  test("never outside of the defaults, what was added and what the agent holds", () => {
    const names = fc.subarray([...capabilityNames, "ALL"]);
    fc.assert(
      fc.property(names, names, names, (add, drop, held) => {
        const facts = { ...plainFacts, capabilities: new Set(held.filter((name) => name !== "ALL")) };
        const input = specInput({ security: { capabilities: { add, drop } } });
        const impossible = add.some((name) => name !== "ALL" && !facts.capabilities.has(name) && !drop.includes(name));
        if (impossible) {
          expect(() => planSpec({ ...input, facts })).toThrow("Can't add capability");
          return;
        }
        for (const name of planSpec({ ...input, facts }).process.capabilities.bounding) {
          expect(facts.capabilities.has(name)).toBe(true);
          expect(drop).not.toContain(name);
          const byDefault = defaultCapabilities.includes(name) && !drop.includes("ALL");
          expect(byDefault || add.includes(name) || (add.includes("ALL") && !drop.includes("ALL"))).toBe(true);
        }
      }),
    );
  });
});

describe("planSpec() orders mounts", () => {
  const destinations = (changes: InputChanges) =>
    planSpec(specInput(changes)).mounts.map(({ destination }) => destination);

  test("parents before children, a mount at /dev or /sys in place of the defaults there", () => {
    const mounts = [bind("/d", "/data/x/y"), bind("/dev", "/dev"), bind("/sys", "/sys"), bind("/e", "/data")];
    expect(destinations({ settings: { mounts } })).toEqual([
      "/proc",
      "/dev",
      "/sys",
      "/data",
      "/etc/hostname",
      "/etc/hosts",
      "/etc/resolv.conf",
      "/dev/shm",
      "/sys/fs/cgroup",
      "/data/x/y",
    ]);
  });

  test("never two at one place, never a child before its parent", () => {
    const segment = fc.constantFrom("etc", "hosts", "dev", "shm", "pts", "sys", "fs", "a", "b");
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
    fc.assert(
      fc.property(fc.uniqueArray(path, { maxLength: 8 }), fc.uniqueArray(path, { maxLength: 4 }), (asked, volumes) => {
        const planned = destinations({
          settings: { mounts: asked.map((containerPath) => bind("/x", containerPath)) },
          rest: { volumes: volumes.map((destination) => ({ source: "/v", destination })) },
        });
        expect(new Set(planned).size).toBe(planned.length);
        for (const path of [...asked, ...volumes]) expect(planned).toContain(path);
        for (const [index, parent] of planned.entries()) {
          expect(planned.slice(0, index).some((earlier) => earlier.startsWith(`${parent}/`))).toBe(false);
        }
      }),
    );
  });
});

describe("planSpec() plans limits", () => {
  const resourcesOf = (changes: InputChanges) => {
    const { devices, ...limits } = planSpec(specInput(changes)).linux.resources;
    expect(devices[0]).toEqual({ allow: false, access: "rwm" });
    return limits;
  };
  const v2 = { cgroupVersion: 2 } as const;
  test.each<[string, InputChanges, object]>([
    [
      "none for zeros",
      { resources: { memoryLimitBytes: int64(0), cpuQuotaMicros: int64(0), cpuShares: int64(0) } },
      {},
    ],
    [
      "memory without more swap",
      { resources: { memoryLimitBytes: int64(4096) } },
      { memory: { limit: 4096n, swap: 4096n } },
    ],
    [
      "memory alone where swap isn't counted",
      { resources: { memoryLimitBytes: int64(4096) }, facts: { swapLimitSupported: false } },
      { memory: { limit: 4096n } },
    ],
    [
      "memory and swap as asked",
      { resources: { memoryLimitBytes: int64(4096), memorySwapLimitBytes: int64(8192) } },
      { memory: { limit: 4096n, swap: 8192n } },
    ],
    [
      "no huge pages without the controller",
      { resources: { hugepageLimits: [{ pageSize: "2MB", limitBytes: int64(1) }] } },
      {},
    ],
    ["no v2 files on v1", { resources: { unified: { "memory.high": "1" } } }, {}],
    [
      "v2 files on v2",
      { resources: { unified: { "memory.high": "1" } }, facts: v2 },
      { unified: { "memory.high": "1" } },
    ],
  ])("%s", (_, changes, want) => {
    expect(resourcesOf(changes)).toEqual(want);
  });

  test("exactly, whatever 64 bits they have", () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 2n ** 63n - 1n), (value) => {
        const spec = planSpec(specInput({ resources: { memoryLimitBytes: int64(value), cpuShares: int64(value) } }));
        const text = renderOciSpec(spec);
        expect(text).toContain(`"memory":{"limit":${value},"swap":${value}}`);
        expect(text).toContain(`"cpu":{"shares":${value}}`);
      }),
    );
  });

  test.each([
    { asked: -998, own: 0, hasCapSysResource: false, want: 0 },
    { asked: -998, own: 0, hasCapSysResource: true, want: -998 },
    { asked: 500, own: 0, hasCapSysResource: false, want: 500 },
    { asked: 10, own: 100, hasCapSysResource: false, want: 100 },
  ])("an OOM score of $asked as $want beside our own $own", ({ asked, own, hasCapSysResource, want }) => {
    const facts = { ownOomScoreAdj: own, hasCapSysResource };
    expect(planSpec(specInput({ resources: { oomScoreAdj: asked }, facts })).process.oomScoreAdj).toBe(want);
  });

  test.each([
    { hard: 20_000, hasCapSysResource: false, want: 20_000 },
    { hard: 20_000, hasCapSysResource: true, want: 1_048_576 },
    { hard: Number.POSITIVE_INFINITY, hasCapSysResource: false, want: 1_048_576 },
  ])("open files as $want with our own limit $hard", ({ hard, hasCapSysResource, want }) => {
    const { rlimits } = planSpec(specInput({ facts: { nofileHardLimit: hard, hasCapSysResource } })).process;
    expect(rlimits).toEqual([{ type: "RLIMIT_NOFILE", hard: want, soft: want }]);
  });
});

describe("planSpec() refuses", () => {
  const noCommand = { image: { cmd: [] } };
  test.each<[string, InputChanges, string]>([
    ["no command", noCommand, "No command specified"],
    ["an empty command", { settings: { command: [""] } }, "No command specified"],
    ["a NUL in args", { settings: { args: ["a\0b"] } }, "Invalid command or args"],
    ["a relative directory", { settings: { workingDir: "srv" } }, 'Invalid working_dir "srv"'],
    ["a directory in /proc", { image: { workingDir: "/x/../proc/self/fd/7" } }, "must be outside /proc"],
    [
      "an environment name with =",
      { settings: { envs: [{ name: "A=B", value: "secret" }] } },
      'Invalid envs[0].key "A=B"',
    ],
    [
      "a NUL in a value, unshown",
      { settings: { envs: [{ name: "A", value: "secret\0" }] } },
      "Invalid envs[0].value of A: must",
    ],
    ["privileged in a plain pod", { security: { privileged: true } }, "Can't run a privileged container"],
    [
      "an unknown capability",
      { security: { capabilities: { add: ["CAP_FLY"], drop: [] } } },
      'Unknown capability "CAP_FLY" in add_capabilities',
    ],
    [
      "an unknown one dropped",
      { security: { capabilities: { add: [], drop: ["x"] } } },
      'Unknown capability "x" in drop_capabilities',
    ],
    [
      "a capability we lack",
      { security: { capabilities: { add: ["CAP_SYS_RESOURCE"], drop: [] } } },
      'Can\'t add capability "CAP_SYS_RESOURCE"',
    ],
    ["a relative masked path", { security: { maskedPaths: ["/a", "b"] } }, 'Invalid masked_paths[1] "b"'],
    [
      "two mounts at one place",
      { settings: { mounts: [bind("/a", "/x"), bind("/b", "/y/../x/")] } },
      'Invalid mounts[1].container_path "/x"',
    ],
    ["a mount at the root", { settings: { mounts: [bind("/a", "/x/..")] } }, "Invalid mounts[0].container_path"],
    ["a mount in /proc", { settings: { mounts: [bind("/a", "/proc/self/attr")] } }, "must be outside /proc"],
    ["a relative place", { settings: { mounts: [bind("/a", "x")] } }, 'Invalid mounts[0].container_path "x"'],
    ["a relative source", { settings: { mounts: [bind("a", "/x")] } }, 'Invalid mounts[0].host_path "a"'],
    [
      "events from a private mount",
      { settings: { mounts: [{ ...bind("/a", "/x"), propagation: "host-to-container" }] } },
      'Can\'t give mounts[0] "/a" the propagation "host-to-container"',
    ],
    [
      "events to a slave mount",
      {
        settings: { mounts: [{ ...bind("/a", "/x"), propagation: "bidirectional" }] },
        rest: { bindSources: new Map([["/a", { path: "/a", propagation: "slave" }]]) },
      },
      "must be on a shared mount",
    ],
    [
      "a pod without the PID namespace",
      { security: { pid: { kind: "pod" } } },
      "Can't join the PID namespace of the pod",
    ],
    ["a target that is gone", { security: { pid: { kind: "target", containerId: "t" } } }, 'the target container "t"'],
    ["a short period", { resources: { cpuPeriodMicros: int64(10) } }, "Invalid cpu_period 10"],
    ["a negative quota", { resources: { cpuQuotaMicros: int64(-2) } }, "Invalid cpu_quota -2"],
    ["negative shares", { resources: { cpuShares: int64(-1) } }, "Invalid cpu_shares -1"],
    ["a wrong cpuset", { resources: { cpusetCpus: "0-" } }, 'Invalid cpuset_cpus "0-"'],
    [
      "swap below memory",
      { resources: { memoryLimitBytes: int64(100), memorySwapLimitBytes: int64(50) } },
      "Invalid memory_swap_limit_in_bytes 50",
    ],
    [
      "a wrong page size",
      { resources: { hugepageLimits: [{ pageSize: "../x", limitBytes: int64(1) }] } },
      "Invalid hugepage_limits[0].page_size",
    ],
    ["a file outside of the cgroup", { resources: { unified: { "../x.y": "1" } } }, 'Invalid unified key "../x.y"'],
    ["an OOM score out of range", { resources: { oomScoreAdj: 1001 } }, "Invalid oom_score_adj 1001"],
    ["a relative cgroup", { sandbox: { cgroupParent: "pods" } }, 'Invalid cgroup_parent "pods"'],
    ["a cgroup that climbs", { sandbox: { cgroupParent: "/pods/../.." } }, "Invalid cgroup_parent"],
  ])("%s", (_, changes, message) => {
    expect(() => planSpec(specInput(changes))).toThrow(message);
    expect(() => planSpec(specInput(changes))).not.toThrow("secret");
  });
});

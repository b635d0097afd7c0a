import { describe, expect, test } from "vitest";
import type { HostFacts } from "../../src/cli/doctor-facts.ts";
import { planFindings, programsOf } from "../../src/cli/plan-doctor.ts";

const subject = {
  root: "/var/lib/podling",
  network: { provider: "cni" as const, cni: { confDir: "/etc/cni/net.d", binDirs: ["/opt/cni/bin", "/usr/lib/cni"] } },
  images: { snapshotter: "auto" as const },
  runtime: {
    defaultHandler: "runc",
    handlers: [
      { name: "runc", shim: "containerd-shim-runc-v2", binary: "runc" },
      { name: "crun", shim: "containerd-shim-runc-v2", binary: "/opt/crun" },
      { name: "kata", shim: "containerd-shim-kata-v2", binary: "" },
    ],
  },
};
const complete: HostFacts = {
  nodeVersion: "24.1.0",
  kernel: "6.12.0-31-amd64",
  capabilities: (1n << 41n) - 1n,
  filesystems: new Set(["ext4", "overlay", "erofs"]),
  cgroupVersion: 2,
  cgroupControllers: new Set(["cpu", "memory", "pids"]),
  nftablesLibrary: true,
  isalLibrary: true,
  ipv6: true,
  programs: new Map([
    ["containerd-shim-runc-v2", "/usr/bin/containerd-shim-runc-v2"],
    ["runc", "/usr/sbin/runc"],
    ["/opt/crun", "/opt/crun"],
    ["containerd-shim-kata-v2", "/usr/bin/containerd-shim-kata-v2"],
  ]),
  cniNetworks: ["/etc/cni/net.d/10-pods.conflist"],
  cniPlugins: ["/usr/lib/cni/bridge", "/usr/lib/cni/host-local"],
  quarantined: [],
};

/** What a machine lacks, and all that is found wrong with it. */
const lacking: ReadonlyArray<readonly [string, Partial<HostFacts>, ReadonlyArray<readonly [string, string, string]>]> =
  [
    ["nothing", {}, []],
    ["Node 24", { nodeVersion: "22.9.0" }, [["missing", "Node.js 24", "22.9.0"]]],
    ["the nftables library", { nftablesLibrary: false }, [["missing", "nftables library", "not found"]]],
    ["ISA-L", { isalLibrary: false }, [["reduced", "ISA-L", "not found"]]],
    [
      "runc's shim",
      {
        programs: new Map([
          ["runc", "/r"],
          ["/opt/crun", "/opt/crun"],
          ["containerd-shim-kata-v2", "/k"],
        ]),
      },
      [
        ["missing", "handler runc", "no containerd-shim-runc-v2"],
        ["reduced", "handler crun", "no containerd-shim-runc-v2"],
      ],
    ],
    [
      "records that can be read",
      { quarantined: ["/var/lib/podling/quarantine/enis-1.txt"] },
      [["reduced", "unreadable records", "/var/lib/podling/quarantine/enis-1.txt"]],
    ],
    [
      "openat2",
      { kernel: "5.5.19" },
      [
        ["missing", "kernel 5.6", "5.5.19"],
        ["reduced", "EROFS from files", "in the kernel 5.5.19"],
      ],
    ],
    ["overlay", { filesystems: new Set(["ext4", "erofs"]) }, [["missing", "overlay", "not in the kernel"]]],
    ["EROFS", { filesystems: new Set(["ext4", "overlay"]) }, [["reduced", "EROFS from files", "not in the kernel"]]],
    ["mounts of EROFS from files", { kernel: "6.11.9" }, [["reduced", "EROFS from files", "in the kernel 6.11.9"]]],
    ["a CNI network", { cniNetworks: [] }, [["missing", "CNI network", "none in /etc/cni/net.d"]]],
    ["CNI plugins", { cniPlugins: [] }, [["missing", "CNI plugins", "none in /opt/cni/bin, /usr/lib/cni"]]],
    ["IPv6", { ipv6: false }, [["reduced", "IPv6", "off"]]],
    [
      "cgroups",
      { cgroupVersion: undefined, cgroupControllers: new Set() },
      [
        ["missing", "cgroups", "not mounted"],
        ["reduced", "cgroup limits", "no cpu, memory, pids"],
      ],
    ],
    [
      "a controller",
      { cgroupVersion: 1, cgroupControllers: new Set(["cpu", "memory"]) },
      [["reduced", "cgroup limits", "no pids"]],
    ],
    ["CAP_SYS_RESOURCE", { capabilities: 0x1fffeffffffn }, [["reduced", "CAP_SYS_RESOURCE", "no"]]],
    [
      "CAP_NET_ADMIN and CAP_MKNOD",
      { capabilities: ((1n << 41n) - 1n) & ~(1n << 12n) & ~(1n << 27n) },
      [["missing", "capabilities", "no CAP_NET_ADMIN, CAP_MKNOD"]],
    ],
  ];

describe("planFindings()", () => {
  test.each(lacking)("for a machine that lacks %s", (_, facts, wrong) => {
    const findings = planFindings({ ...complete, ...facts }, subject);
    const bad = findings.filter(({ state }) => state !== "ok");
    expect(bad.map(({ state, check, found }) => [state, check, found])).toEqual(wrong);
    for (const { state, lost } of findings) expect(lost === "").toBe(state === "ok");
  });
});

test("planFindings() asks for CNI plugins only where pods get their network by them", () => {
  const network = { ...subject.network, provider: "local-vpc" } as const;
  const findings = planFindings({ ...complete, cniNetworks: [], cniPlugins: [] }, { ...subject, network });
  expect(findings.filter(({ check }) => check.startsWith("CNI"))).toEqual([]);
});

test("programsOf() names each shim and runtime once", () => {
  expect(programsOf(subject)).toEqual(["containerd-shim-runc-v2", "runc", "/opt/crun", "containerd-shim-kata-v2"]);
});

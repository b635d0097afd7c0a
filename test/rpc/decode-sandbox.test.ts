import { describe, expect, test } from "vitest";
import type { PodSandboxConfig } from "../../src/generated/runtime/v1/PodSandboxConfig.ts";
import { decodeSandbox } from "../../src/rpc/decode-sandbox.ts";
import type { Profile } from "../../src/rpc/profile-policy.ts";
import { overTheWire } from "./wire.ts";

const metadata = { name: "web", namespace: "default", uid: "u-1", attempt: 2 };

function decode(config: PodSandboxConfig | null, profile: Profile = "eci", runtimeHandler = "") {
  return decodeSandbox(profile, overTheWire("RunPodSandboxRequest", { config, runtime_handler: runtimeHandler }));
}

const minimal = {
  metadata,
  hostname: "",
  logDirectory: "",
  dns: undefined,
  labels: {},
  annotations: {},
  runtimeHandler: "",
  hostPorts: [],
  cgroupParent: "",
  namespaces: { network: "pod", ipc: "pod", pid: "pod" },
  privileged: false,
  overhead: undefined,
  resources: undefined,
};

describe("decodeSandbox()", () => {
  test("takes metadata alone", () => {
    expect(decode({ metadata })).toEqual(minimal);
  });

  test("takes what kubelet sends", () => {
    const spec = decode(
      {
        metadata,
        hostname: "web",
        log_directory: "/var/log/pods/default_web_u-1/",
        dns_config: { servers: ["10.96.0.10", "fd00::a"], searches: ["svc.cluster.local"], options: ["ndots:5"] },
        port_mappings: [{ container_port: 80, protocol: "TCP" }],
        labels: { b: "2", a: "1" },
        annotations: { "kubernetes.io/config.source": "api" },
        linux: {
          cgroup_parent: "/kubepods/burstable/podu-1",
          overhead: {},
          resources: { cpu_shares: 102, memory_limit_in_bytes: "9007199254740993" },
          security_context: {
            namespace_options: { pid: "CONTAINER" },
            seccomp: { profile_type: "RuntimeDefault" },
            seccomp_profile_path: "runtime/default",
          },
        },
      },
      "eci",
      "crun",
    );
    expect(spec).toEqual({
      ...minimal,
      hostname: "web",
      logDirectory: "/var/log/pods/default_web_u-1",
      dns: { servers: ["10.96.0.10", "fd00::a"], searches: ["svc.cluster.local"], options: ["ndots:5"] },
      labels: { a: "1", b: "2" },
      annotations: { "kubernetes.io/config.source": "api" },
      runtimeHandler: "crun",
      hostPorts: [],
      cgroupParent: "/kubepods/burstable/podu-1",
      namespaces: { network: "pod", ipc: "pod", pid: "container" },
      seccomp: { kind: "runtime-default" },
      overhead: { oomScoreAdj: 0, hugepageLimits: [], unified: {} },
      resources: {
        cpuShares: "102",
        memoryLimitBytes: "9007199254740993",
        oomScoreAdj: 0,
        hugepageLimits: [],
        unified: {},
      },
    });
  });

  test("decodes a repeated request to the same text, whatever the order of its maps on the wire", () => {
    const one = decode({ metadata, labels: { a: "1", b: "2", c: "3" } });
    const other = decode({ metadata, labels: { c: "3", a: "1", b: "2" } });
    expect(JSON.stringify(one)).toBe(JSON.stringify(other));
  });

  test("takes a privileged sandbox under the node profile", () => {
    expect(decode({ metadata, linux: { security_context: { privileged: true } } }, "node").privileged).toBe(true);
  });

  test("takes the host's namespaces under profile node, and kernel parameters in both notations", () => {
    const host = { network: "NODE", ipc: "NODE", pid: "NODE" } as const;
    expect(decode(security({ namespace_options: host }), "node").namespaces).toEqual({
      network: "node",
      ipc: "node",
      pid: "node",
    });
    const values = { "kernel.shm_rmid_forced": "1", "net/ipv4/conf/eth0.1/forwarding": " 1 " };
    expect(decode(sysctls(values)).sysctls).toEqual({
      "kernel.shm_rmid_forced": "1",
      "net.ipv4.conf.eth0/1.forwarding": "1",
    });
  });

  test.each(["web", "Web-1", "0", "a.b.example.org", "x".repeat(63)])("takes hostname %j", (hostname) => {
    expect(decode({ metadata, hostname }).hostname).toBe(hostname);
  });
});

type Refusal = readonly [field: string, config: PodSandboxConfig | null, message: string];

const security = (security_context: object): PodSandboxConfig => ({ metadata, linux: { security_context } });

const refused: readonly Refusal[] = [
  ["config", null, "required"],
  ["config.metadata", {}, "required"],
  ["config.metadata.name", { metadata: { ...metadata, name: "" } }, "required"],
  ["config.metadata.namespace", { metadata: { ...metadata, namespace: "" } }, "required"],
  ["config.metadata.uid", { metadata: { ...metadata, uid: "" } }, "required"],
  ["config.metadata.name", { metadata: { ...metadata, name: "a\nb" } }, "control characters"],
  ["config.metadata.uid", { metadata: { ...metadata, uid: "u".repeat(254) } }, "253"],
  ["config.hostname", { metadata, hostname: "-web" }, "RFC 1123"],
  ["config.hostname", { metadata, hostname: "a..b" }, "RFC 1123"],
  ["config.hostname", { metadata, hostname: "web\nroot" }, "RFC 1123"],
  ["config.hostname", { metadata, hostname: "x".repeat(64) }, "RFC 1123"],
  ["config.hostname", { metadata, hostname: "under_score" }, "RFC 1123"],
  ["config.log_directory", { metadata, log_directory: "logs" }, "absolute"],
  ["config.log_directory", { metadata, log_directory: "/var/log/../../etc" }, '".."'],
  ["config.log_directory", { metadata, log_directory: "/var/\0log" }, "NUL"],
  ["config.dns_config.servers[1]", { metadata, dns_config: { servers: ["::1", "dns.local"] } }, "address"],
  ["config.dns_config.servers[0]", { metadata, dns_config: { servers: ["1.1.1.1\noptions debug"] } }, "address"],
  ["config.dns_config.searches[0]", { metadata, dns_config: { searches: ["a b"] } }, "blanks"],
  ["config.dns_config.options[0]", { metadata, dns_config: { options: ["x\nnameserver 6.6.6.6"] } }, "blanks"],
  ["config.port_mappings[0].container_port", { metadata, port_mappings: [{ container_port: 65536 }] }, "65535"],
  ["config.port_mappings[0].host_port", { metadata, port_mappings: [{ host_port: -1 }] }, "0 to 65535"],
  ["config.port_mappings[0].host_port", { metadata, port_mappings: [{ host_port: 80 }] }, 'profile = "node"'],
  ["config.annotations", { metadata, annotations: { a: "x".repeat(300_000) } }, "262144 bytes"],
  ["config.linux.cgroup_parent", { metadata, linux: { cgroup_parent: "test.slice" } }, "absolute"],
  ["config.linux.cgroup_parent", { metadata, linux: { cgroup_parent: "/kubepods/../.." } }, '".."'],
  ["config.linux.cgroup_parent", { metadata, linux: { cgroup_parent: "//" } }, "below the root"],
  ["config.linux.resources.cpu_quota", { metadata, linux: { resources: { cpu_quota: -2 } } }, "-1 or more"],
  ["config.windows", { metadata, windows: {} }, "Linux"],
  ["config.linux.security_context.privileged", security({ privileged: true }), 'profile = "node"'],
  ["config.linux.security_context.run_as_group", security({ run_as_group: { value: 5 } }), "run_as_user"],
  ["config.linux.security_context.run_as_user", security({ run_as_user: { value: -1 } }), "0 to 2147483647"],
  [
    "config.linux.security_context.seccomp.localhost_ref",
    security({ seccomp: { profile_type: "Unconfined", localhost_ref: "x" } }),
    "must be empty",
  ],
  ["config.linux.security_context.seccomp_profile_path", security({ seccomp_profile_path: "what" }), "unconfined"],
  ...(["network", "ipc", "pid"] as const).map(
    (name): Refusal => [
      `config.linux.security_context.namespace_options.${name}`,
      security({ namespace_options: { [name]: "NODE" } }),
      'profile = "node"',
    ],
  ),
  [
    "config.linux.security_context.namespace_options.network",
    security({ namespace_options: { network: "CONTAINER" } }),
    "POD or NODE",
  ],
  [
    "config.linux.security_context.namespace_options.pid",
    security({ namespace_options: { pid: "TARGET", target_id: "x" } }),
    "no target",
  ],
  [
    "config.linux.security_context.namespace_options.pid",
    security({ namespace_options: { pid: 77 } }),
    "POD, CONTAINER or NODE",
  ],
  [
    "config.linux.security_context.namespace_options.userns_options.uids",
    security({ namespace_options: { userns_options: { mode: "NODE", uids: [{ length: 1 }] } } }),
    "must be empty",
  ],
];

const sysctls = (values: Record<string, string>) => ({ metadata, linux: { sysctls: values } });
const oneMapping = { uids: [{ host_id: 1000, length: 100 }], gids: [{ host_id: 1000, length: 100 }] };

const refusedByNode: readonly Refusal[] = [
  ["config.linux.sysctls", sysctls({ "kernel.panic": "1" }), "of the pod's network (net.*) or IPC"],
  ["config.linux.sysctls", sysctls({ "net.ipv4/../../x": "1" }), "must be a name"],
  ["config.linux.sysctls net.core.somaxconn", sysctls({ "net.core.somaxconn": "1\n2" }), "one line"],
  [
    "config.linux.sysctls",
    {
      metadata,
      linux: {
        sysctls: { "net.core.somaxconn": "1" },
        security_context: { namespace_options: { network: "NODE" } },
      },
    },
    "host's network",
  ],
  [
    "config.linux.sysctls",
    {
      metadata,
      linux: { sysctls: { "kernel.msgmax": "1" }, security_context: { namespace_options: { ipc: "NODE" } } },
    },
    "host's IPC",
  ],
  ...[
    [[], "exactly one mapping"],
    [[{ length: 1 }, { length: 1 }], "exactly one mapping"],
    [[{ container_id: 1, length: 1 }], "root has to be mapped"],
    [[{ length: 0 }], "at least 1"],
    [[{ host_id: 4_294_967_000, length: 1000 }], "must end below"],
  ].map(
    ([uids, message]): Refusal => [
      "config.linux.security_context.namespace_options.userns_options.uids",
      security({ namespace_options: { userns_options: { uids: uids as object[] } } }),
      message as string,
    ],
  ),
  ...(["network", "ipc", "pid"] as const).map(
    (name): Refusal => [
      `config.linux.security_context.namespace_options.${name}`,
      security({ namespace_options: { [name]: "NODE", userns_options: oneMapping } }),
      "the pod's own when it has a user namespace",
    ],
  ),
];

test("decodeSandbox() takes a user namespace under either profile", () => {
  const range = { containerId: 0, hostId: 1000, length: 100 };
  for (const profile of ["eci", "node"] as const) {
    const { namespaces } = decode(security({ namespace_options: { userns_options: oneMapping } }), profile);
    expect(namespaces.user).toEqual({ uids: range, gids: range });
  }
});

describe("decodeSandbox() refuses", () => {
  test.each(refused)("%s: %j", (field, config, message) => {
    expect(() => decode(config)).toThrow(
      expect.objectContaining({
        code: "InvalidArgument",
        message: expect.stringMatching(
          new RegExp(`^(Missing|Invalid) ${RegExp.escape(field)}[: ].*${RegExp.escape(message)}`),
        ),
      }),
    );
  });

  test.each(refusedByNode)("under profile node too, %s: %j", (field, config, message) => {
    expect(() => decode(config, "node")).toThrow(
      expect.objectContaining({
        code: "InvalidArgument",
        message: expect.stringMatching(
          new RegExp(`${field.replaceAll(".", "\\.")}.*${message.replace(/[.*()]/g, "\\$&")}`),
        ),
      }),
    );
  });
});

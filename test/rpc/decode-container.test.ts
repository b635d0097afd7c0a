import { describe, expect, test } from "vitest";
import type { ContainerConfig } from "../../src/generated/runtime/v1/ContainerConfig.ts";
import type { LinuxContainerResources } from "../../src/generated/runtime/v1/LinuxContainerResources.ts";
import type { Mount } from "../../src/generated/runtime/v1/Mount.ts";
import { decodeContainer } from "../../src/rpc/decode-container.ts";
import type { Profile } from "../../src/rpc/profile-policy.ts";
import { overTheWire } from "./wire.ts";

const base: ContainerConfig = { metadata: { name: "app", attempt: 1 }, image: { image: "debian:12" } };
const volume = "/var/lib/kubelet/pods/u-1/volumes/v";

function decode(config: ContainerConfig | null, profile: Profile = "eci", privileged = false) {
  const request = overTheWire<Parameters<typeof decodeContainer>[1]>("CreateContainerRequest", {
    pod_sandbox_id: "s",
    config,
  });
  return decodeContainer(profile, request, { privileged, namespaces: { network: "pod", ipc: "pod", pid: "pod" } });
}

const noSecurity = {
  user: { supplementalGroups: [], supplementalGroupsPolicy: "merge" },
  privileged: false,
  readonlyRootfs: false,
  noNewPrivileges: false,
  capabilities: { add: [], drop: [] },
  maskedPaths: undefined,
  readonlyPaths: undefined,
  pid: { kind: "pod" },
  seccomp: { kind: "unset" },
  apparmor: { kind: "unset" },
};
const noResources = { oomScoreAdj: 0, hugepageLimits: [], unified: {} };

describe("decodeContainer()", () => {
  test("takes a name and an image alone", () => {
    expect(decode(base)).toEqual({
      metadata: { name: "app", attempt: 1 },
      image: "debian:12",
      userSpecifiedImage: "",
      labels: {},
      annotations: {},
      logPath: "",
      stopSignal: "",
      settings: {
        command: [],
        args: [],
        workingDir: "",
        envs: [],
        mounts: [],
        devices: [],
        cdiDevices: [],
        tty: false,
        stdin: false,
        stdinOnce: false,
        security: noSecurity,
        resources: noResources,
      },
    });
  });

  test("takes an empty security context as an absent one", () => {
    expect(decode({ ...base, linux: { security_context: {} } }).settings.security).toEqual(noSecurity);
  });

  test("takes what kubelet sends", () => {
    const spec = decode({
      ...base,
      image: { image: "sha256:abc", user_specified_image: "debian" },
      command: ["/bin/sh", "-c"],
      args: ["echo $A", ""],
      working_dir: "/srv",
      envs: [{ key: "A", value: Buffer.from("ä=1") }, { key: "EMPTY" }],
      mounts: [
        { container_path: "/etc/hosts", host_path: "/var/lib/kubelet/pods/u-1/etc-hosts" },
        { container_path: "/data/", host_path: volume, readonly: true },
      ],
      labels: { app: "x" },
      annotations: { note: "y" },
      log_path: "app/0.log",
      stdin: true,
      stdin_once: true,
      tty: true,
      stop_signal: "SIGNAL_SIGRTMINPLUS3",
      linux: {
        resources: {
          cpu_period: 100000,
          cpu_quota: 50000,
          cpu_shares: "512",
          memory_limit_in_bytes: "134217728",
          memory_swap_limit_in_bytes: "-1",
          oom_score_adj: -997,
          cpuset_cpus: "0-1,3",
          cpuset_mems: "0",
          hugepage_limits: [{ page_size: "2MB", limit: "0" }],
          unified: { "memory.high": "100000000" },
        },
        security_context: {
          run_as_user: { value: 1000 },
          run_as_group: { value: 0 },
          run_as_username: "www",
          supplemental_groups: [5, 4],
          supplemental_groups_policy: "Strict",
          readonly_rootfs: true,
          no_new_privs: true,
          capabilities: {
            add_capabilities: ["net_admin", "CAP_SYS_TIME"],
            drop_capabilities: ["ALL", "cap_kill"],
            add_ambient_capabilities: ["kill"],
          },
          masked_paths: ["/proc/kcore"],
          namespace_options: { pid: "TARGET", target_id: "c1" },
          seccomp: { profile_type: "Unconfined" },
          apparmor_profile: "localhost/mine",
          selinux_options: { level: "s0:c1,c2" },
        },
      },
    });
    expect(spec).toEqual({
      metadata: { name: "app", attempt: 1 },
      image: "sha256:abc",
      userSpecifiedImage: "debian",
      labels: { app: "x" },
      annotations: { note: "y" },
      logPath: "app/0.log",
      stopSignal: "SIGRTMIN+3",
      settings: {
        command: ["/bin/sh", "-c"],
        args: ["echo $A", ""],
        workingDir: "/srv",
        envs: [
          { name: "A", value: "ä=1" },
          { name: "EMPTY", value: "" },
        ],
        mounts: [
          {
            hostPath: "/var/lib/kubelet/pods/u-1/etc-hosts",
            containerPath: "/etc/hosts",
            readonly: false,
            propagation: "private",
          },
          { hostPath: volume, containerPath: "/data/", readonly: true, propagation: "private" },
        ],
        devices: [],
        cdiDevices: [],
        tty: true,
        stdin: true,
        stdinOnce: true,
        security: {
          user: {
            uid: 1000,
            gid: 0,
            username: "www",
            supplementalGroups: [5, 4],
            supplementalGroupsPolicy: "strict",
          },
          privileged: false,
          readonlyRootfs: true,
          noNewPrivileges: true,
          capabilities: { add: ["CAP_NET_ADMIN", "CAP_SYS_TIME"], drop: ["ALL", "CAP_KILL"], ambient: ["CAP_KILL"] },
          maskedPaths: ["/proc/kcore"],
          readonlyPaths: undefined,
          pid: { kind: "target", containerId: "c1" },
          seccomp: { kind: "unconfined" },
          apparmor: { kind: "localhost", reference: "mine" },
          selinux: { user: "", role: "", type: "", level: "s0:c1,c2" },
        },
        resources: {
          cpuPeriodMicros: "100000",
          cpuQuotaMicros: "50000",
          cpuShares: "512",
          memoryLimitBytes: "134217728",
          memorySwapLimitBytes: "-1",
          oomScoreAdj: -997,
          cpusetCpus: "0-1,3",
          cpusetMems: "0",
          hugepageLimits: [{ pageSize: "2MB", limitBytes: "0" }],
          unified: { "memory.high": "100000000" },
        },
      },
    });
  });

  test("takes a privileged container of a privileged sandbox, and any host path, under the node profile", () => {
    const mounts = [{ container_path: "/host", host_path: "/" }];
    const spec = decode({ ...base, mounts, linux: { security_context: { privileged: true } } }, "node", true);
    expect([spec.settings.security.privileged, spec.settings.mounts[0]]).toMatchObject([true, { hostPath: "/" }]);
  });
});

type Refusal = readonly [field: string, config: ContainerConfig | null, message: string];

const security = (security_context: object): ContainerConfig => ({ ...base, linux: { security_context } });
const resources = (limits: LinuxContainerResources): ContainerConfig => ({ ...base, linux: { resources: limits } });
const mount = (...mounts: Mount[]): ContainerConfig => ({ ...base, mounts });
const inSecurity = "config.linux.security_context";
const inResources = "config.linux.resources";

const refused: readonly Refusal[] = [
  ["config", null, "required"],
  ["config.metadata", { image: base.image ?? null }, "required"],
  ["config.metadata.name", { ...base, metadata: {} }, "required"],
  ["config.image.image", { metadata: { name: "a" } }, "required"],
  ["config.image.image", { ...base, image: { image: "a\nb" } }, "control characters"],
  ["config.windows", { ...base, windows: {} }, "Linux"],
  ["config.CDI_devices[0].name", { ...base, CDI_devices: [{ name: "a/b" }] }, "vendor.com/class=name"],
  ["config.CDI_devices[0].name", { ...base, CDI_devices: [{ name: "" }] }, "required"],
  ['config.annotations["cdi.k8s.io/x"]', { ...base, annotations: { "cdi.k8s.io/x": "a/b=c,../x=y" } }, "CDI device"],
  ["config.command[0]", { ...base, command: ["a\0b"] }, "NUL"],
  ["config.args[1]", { ...base, args: ["", "a\0"] }, "NUL"],
  ["config.working_dir", { ...base, working_dir: "srv" }, "absolute"],
  ["config.log_path", { ...base, log_path: "/var/log/x" }, "relative"],
  ["config.log_path", { ...base, log_path: "../../etc/passwd" }, '".."'],
  ["config.log_path", { ...base, log_path: "a/../b" }, '".."'],
  ["config.stop_signal", { ...base, stop_signal: 99 as never }, "signal"],
  ["config.envs[0].key", { ...base, envs: [{ value: Buffer.from("x") }] }, "required"],
  ["config.envs[0].key", { ...base, envs: [{ key: "A=B" }] }, '"="'],
  ["config.envs[0].key", { ...base, envs: [{ key: "A\0" }] }, "NUL"],
  ["config.envs[0].value of A", { ...base, envs: [{ key: "A", value: Buffer.from([0]) }] }, "NUL"],
  ["config.envs[0].value of A", { ...base, envs: [{ key: "A", value: Buffer.from([0xff]) }] }, "UTF-8"],
  ["config.mounts[0].container_path", mount({ host_path: volume }), "required"],
  ["config.mounts[0].container_path", mount({ container_path: "data", host_path: volume }), "absolute"],
  ["config.mounts[0].container_path", mount({ container_path: "/a/../proc", host_path: volume }), '".."'],
  ["config.mounts[0].container_path", mount({ container_path: "//", host_path: volume }), "neither"],
  ["config.mounts[0].container_path", mount({ container_path: "/proc/sys", host_path: volume }), "neither"],
  [
    "config.mounts[1].container_path",
    mount({ container_path: "/a", host_path: volume }, { container_path: "//a/", host_path: volume }),
    "config.mounts[0]",
  ],
  ["config.mounts[0].host_path", mount({ container_path: "/a" }), "required"],
  ["config.mounts[0].host_path", mount({ container_path: "/a", host_path: "rel" }), "absolute"],
  ["config.mounts[0].host_path", mount({ container_path: "/a", host_path: "/etc" }), 'profile = "node"'],
  [
    "config.mounts[0].host_path",
    mount({ container_path: "/a", host_path: "/var/lib/kubelet/pods/../../../../etc" }),
    '".."',
  ],
  ["config.mounts[0].host_path", mount({ container_path: "/a", host_path: "/var/lib/kubelet/pods" }), "node"],
  ["config.mounts[0].image_sub_path", mount({ container_path: "/a", image_sub_path: "x" }), "without image"],
  [
    "config.mounts[0].propagation",
    mount({ container_path: "/a", host_path: volume, propagation: 9 as never }),
    "MountPropagation",
  ],
  [`${inSecurity}.privileged`, security({ privileged: true }), 'profile = "node"'],
  [`${inSecurity}.run_as_group`, security({ run_as_group: { value: 1 } }), "run_as_user"],
  [`${inSecurity}.run_as_user`, security({ run_as_user: { value: -1 } }), "0 to 2147483647"],
  [`${inSecurity}.run_as_user`, security({ run_as_user: { value: "4294967296" } }), "0 to 2147483647"],
  [`${inSecurity}.run_as_user`, security({ run_as_user: { value: "9007199254740993" } }), "0 to 2147483647"],
  [`${inSecurity}.run_as_username`, security({ run_as_username: "root:root" }), "user name"],
  [`${inSecurity}.supplemental_groups[1]`, security({ supplemental_groups: [1, -5] }), "0 to 2147483647"],
  [
    `${inSecurity}.capabilities.add_capabilities[0]`,
    security({ capabilities: { add_capabilities: ["net-admin"] } }),
    "NET_ADMIN",
  ],
  [
    `${inSecurity}.capabilities.drop_capabilities[1]`,
    security({ capabilities: { drop_capabilities: ["ALL", ""] } }),
    "NET_ADMIN",
  ],
  [`${inSecurity}.masked_paths[0]`, security({ masked_paths: ["proc"] }), "absolute"],
  [`${inSecurity}.readonly_paths[0]`, security({ readonly_paths: ["/a/.."] }), '".."'],
  [`${inSecurity}.namespace_options.target_id`, security({ namespace_options: { pid: "TARGET" } }), "required"],
  [`${inSecurity}.namespace_options.pid`, security({ namespace_options: { pid: "NODE" } }), 'profile = "node"'],
  [`${inSecurity}.namespace_options.ipc`, security({ namespace_options: { ipc: "CONTAINER" } }), "POD or NODE"],
  [`${inSecurity}.seccomp.profile_type`, security({ seccomp: { profile_type: 9 } }), "RuntimeDefault"],
  [`${inSecurity}.seccomp_profile_path`, security({ seccomp_profile_path: "nonsense" }), "unconfined"],
  [
    "config.mounts[0].uidMappings",
    mount({ container_path: "/a", host_path: volume, uidMappings: [{ length: 1 }], gidMappings: [{ length: 1 }] }),
    "the pod sandbox's own mapping",
  ],
  [
    "config.mounts[0].gidMappings",
    mount({ container_path: "/a", host_path: volume, uidMappings: [{ length: 1 }] }),
    "exactly one mapping",
  ],
  [
    `${inSecurity}.namespace_options.userns_options`,
    security({ namespace_options: { userns_options: { uids: [{ length: 1 }], gids: [{ length: 1 }] } } }),
    "the same as the pod sandbox's",
  ],
  [`${inResources}.oom_score_adj`, resources({ oom_score_adj: 1001 }), "-1000 to 1000"],
  [`${inResources}.memory_limit_in_bytes`, resources({ memory_limit_in_bytes: -1 }), "0 or more"],
  [`${inResources}.cpu_quota`, resources({ cpu_quota: -2 }), "-1 or more"],
  [`${inResources}.cpuset_cpus`, resources({ cpuset_cpus: "0;1" }), "0-3,7"],
  [`${inResources}.hugepage_limits[0].page_size`, resources({ hugepage_limits: [{ page_size: "../x" }] }), "2MB"],
  [`${inResources}.unified`, resources({ unified: { "../cgroup.procs": "1" } }), "cgroup v2"],
];

describe("decodeContainer() refuses", () => {
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

  test("a privileged container of a sandbox that is not", () => {
    expect(() => decode(security({ privileged: true }), "node", false)).toThrow("sandbox that is not privileged");
  });

  test("without showing the value of an environment variable", () => {
    const envs = [{ key: "A", value: Buffer.from("s3cret\0") }];
    expect(() => decode({ ...base, envs })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("s3cret") }),
    );
  });
});

import { parseInt64 } from "../../src/common/int64.ts";
import { capabilityNames } from "../../src/runtime/capability-names.ts";
import type { ContainerSettings, Resources, SecurityContext } from "../../src/runtime/container-settings.ts";
import type { HostFacts } from "../../src/runtime/host-facts.ts";
import type { SpecImage, SpecInput, SpecSandbox } from "../../src/runtime/spec-input.ts";

/** Changes to the plain input that the planner's tests start from. */
export interface InputChanges {
  readonly settings?: Partial<Omit<ContainerSettings, "security" | "resources">>;
  readonly security?: Partial<SecurityContext>;
  readonly resources?: Partial<Resources>;
  readonly image?: Partial<SpecImage>;
  readonly sandbox?: Partial<SpecSandbox>;
  readonly facts?: Partial<HostFacts>;
  readonly rest?: Partial<Omit<SpecInput, "settings" | "image" | "sandbox" | "facts">>;
}

export const int64 = (value: number | bigint | string) => parseInt64("test value", value);

/** A host without CAP_SYS_RESOURCE, with cgroup v1. */
export const plainFacts: HostFacts = {
  cgroupVersion: 1,
  cgroupControllers: new Set(["cpu", "cpuset", "memory", "devices", "freezer", "pids"]),
  swapLimitSupported: true,
  capabilities: new Set(capabilityNames.filter((name) => name !== "CAP_SYS_RESOURCE")),
  hasCapSysResource: false,
  ownOomScoreAdj: 0,
  nofileHardLimit: 20_000,
  kernelRelease: "6.1.0",
  architecture: "x64",
  seccomp: true,
  apparmor: false,
  selinux: undefined,
};

/** The least that a container asks for: an image with a command, in a pod. */
export function specInput(changes: InputChanges = {}): SpecInput {
  return {
    containerId: "c0ffee",
    containerName: "web",
    imageName: "example.com/web:1",
    sandbox: {
      id: "5a4db0",
      name: "pod",
      namespace: "default",
      uid: "uid-1",
      hostname: "pod-host",
      privileged: false,
      netnsPath: "/run/netns/pod",
      ipcPath: "/run/pod/ns/ipc",
      utsPath: "/run/pod/ns/uts",
      hostsPath: "/run/pod/hosts",
      hostnamePath: "/run/pod/hostname",
      resolvConfPath: "/run/pod/resolv.conf",
      shmPath: "/run/pod/shm",
      cgroupParent: "/pods/pod",
      ...changes.sandbox,
    },
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
      ...changes.settings,
      security: {
        user: { supplementalGroups: [], supplementalGroupsPolicy: "merge" },
        privileged: false,
        readonlyRootfs: false,
        noNewPrivileges: false,
        capabilities: { add: [], drop: [] },
        maskedPaths: undefined,
        readonlyPaths: undefined,
        pid: { kind: "container" },
        seccomp: { kind: "unset" },
        apparmor: { kind: "unset" },
        ...changes.security,
      },
      resources: { oomScoreAdj: 0, hugepageLimits: [], unified: {}, ...changes.resources },
    },
    image: {
      user: "",
      env: ["PATH=/bin:/usr/bin", "LANG=C.UTF-8"],
      entrypoint: [],
      cmd: ["/bin/server"],
      workingDir: "",
      stopSignal: "",
      volumes: [],
      ...changes.image,
    },
    user: { uid: 0, gid: 0, supplementalGroups: [0] },
    facts: { ...plainFacts, ...changes.facts },
    ...changes.rest,
  };
}

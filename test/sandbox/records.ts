import { parseContainerId, parseSandboxId } from "../../src/common/ids.ts";
import type { ContainerRecord, ContainerState } from "../../src/sandbox/container-record.ts";
import type { ContainerSpec } from "../../src/sandbox/container-spec.ts";
import type { SandboxRecord } from "../../src/sandbox/sandbox-record.ts";
import type { SandboxSpec } from "../../src/sandbox/sandbox-spec.ts";

export const sandboxSpec: SandboxSpec = {
  metadata: { name: "web", namespace: "default", uid: "u1", attempt: 0 },
  hostname: "web",
  logDirectory: "/var/log/pods/web",
  dns: undefined,
  labels: { app: "web" },
  annotations: {},
  runtimeHandler: "",
  hostPorts: [],
  cgroupParent: "",
  namespaces: { network: "pod", ipc: "pod", pid: "container" },
  privileged: false,
  overhead: undefined,
  resources: undefined,
};

export const containerSpec: ContainerSpec = {
  metadata: { name: "main", attempt: 0 },
  image: "busybox",
  userSpecifiedImage: "",
  labels: {},
  annotations: {},
  logPath: "main/0.log",
  stopSignal: "",
  settings: {
    command: ["sleep", "1"],
    args: [],
    workingDir: "",
    envs: [],
    mounts: [],
    devices: [],
    cdiDevices: [],
    tty: false,
    stdin: false,
    stdinOnce: false,
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
    },
    resources: { oomScoreAdj: 0, hugepageLimits: [], unified: {} },
  },
};

export function sandboxRecord(change: Partial<SandboxRecord> = {}): SandboxRecord {
  return {
    id: parseSandboxId("a".repeat(64)),
    state: "ready",
    spec: sandboxSpec,
    handler: "runc",
    createdAtMs: 1,
    bootId: "boot-1",
    network: undefined,
    message: "",
    ...change,
  };
}

export function containerRecord(state: ContainerState, change: Partial<ContainerRecord> = {}): ContainerRecord {
  return {
    id: parseContainerId("c".repeat(64)),
    sandboxId: parseSandboxId("a".repeat(64)),
    state,
    spec: containerSpec,
    imageId: `sha256:${"1".repeat(64)}`,
    imageRef: `sha256:${"1".repeat(64)}`,
    topChainId: `sha256:${"2".repeat(64)}`,
    createdAtMs: 2,
    logPath: "",
    stopSignal: "SIGTERM",
    user: { uid: 0, gid: 0, supplementalGroups: [] },
    ...change,
  };
}

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type ContainerId,
  type Digest,
  newId,
  parseContainerId,
  parseDigest,
  parseSandboxId,
  type SandboxId,
} from "../../src/common/ids.ts";
import type { ContainerStatusResponse__Output } from "../../src/generated/runtime/v1/ContainerStatusResponse.ts";
import type { CreateContainerRequest__Output } from "../../src/generated/runtime/v1/CreateContainerRequest.ts";
import type { ImageStatusResponse__Output } from "../../src/generated/runtime/v1/ImageStatusResponse.ts";
import type { ListContainersResponse__Output } from "../../src/generated/runtime/v1/ListContainersResponse.ts";
import type { PodSandboxStatusResponse__Output } from "../../src/generated/runtime/v1/PodSandboxStatusResponse.ts";
import type { ImageRecord } from "../../src/images/image-record.ts";
import { decodeContainer } from "../../src/rpc/decode-container.ts";
import { encodeContainer, encodeContainerStatus } from "../../src/rpc/encode-container.ts";
import { describeImage, encodeImage } from "../../src/rpc/encode-image.ts";
import { encodeSandboxStatus } from "../../src/rpc/encode-sandbox.ts";
import { encodeTimestamp } from "../../src/rpc/timestamps.ts";
import type { ContainerRecord, ContainerState } from "../../src/sandbox/container-record.ts";
import type { ContainerSpec } from "../../src/sandbox/container-spec.ts";
import type { SandboxRecord } from "../../src/sandbox/sandbox-record.ts";
import { overTheWire } from "./wire.ts";

const sandboxId: SandboxId = parseSandboxId(newId());
const containerId: ContainerId = parseContainerId(newId());
const createdAtMs = 1_750_000_000_123.25;

const sandbox: SandboxRecord = {
  id: sandboxId,
  state: "ready",
  spec: {
    metadata: { name: "web", namespace: "default", uid: "u", attempt: 3 },
    hostname: "",
    logDirectory: "",
    dns: undefined,
    labels: { a: "1" },
    annotations: { b: "2" },
    runtimeHandler: "",
    hostPorts: [],
    cgroupParent: "",
    namespaces: { network: "pod", ipc: "pod", pid: "container" },
    privileged: false,
    overhead: undefined,
    resources: undefined,
  },
  handler: "runc",
  createdAtMs,
  bootId: "b",
  network: { mac: "00:16:3e:00:00:01", interfaceName: "eth0", ipv4: "10.88.0.7", ipv6: "fd00:88::7" },
  message: "",
};

function decoded(config: object): ContainerSpec {
  const request = overTheWire<CreateContainerRequest__Output>("CreateContainerRequest", { config });
  return decodeContainer("node", request, { privileged: true, namespaces: { network: "pod", ipc: "pod", pid: "pod" } });
}

function container(state: ContainerState, config: object = {}): ContainerRecord {
  return {
    id: containerId,
    sandboxId,
    state,
    spec: decoded({ metadata: { name: "app" }, image: { image: "debian:12" }, ...config }),
    imageId: "sha256:aa",
    imageRef: "docker.io/library/debian@sha256:bb",
    topChainId: "sha256:cc",
    createdAtMs,
    logPath: "/var/log/pods/x/app/0.log",
    stopSignal: "TERM",
    user: { uid: 1000, gid: 5, supplementalGroups: [5, 7] },
  };
}

const status = (record: ContainerRecord) =>
  overTheWire<ContainerStatusResponse__Output>("ContainerStatusResponse", { status: encodeContainerStatus(record) })
    .status;

describe("encodeTimestamp()", () => {
  test("keeps the fraction exactly where a product would lose it", () => {
    expect(encodeTimestamp(createdAtMs)).toBe("1750000000123250000");
    expect(encodeTimestamp(0)).toBe("0");
  });

  test("keeps the order of any two times", () => {
    const time = fc.double({ min: 0, max: 4e12, noNaN: true });
    fc.assert(
      fc.property(time, time, (a, b) => {
        const [earlier, later] = a < b ? [a, b] : [b, a];
        expect(BigInt(encodeTimestamp(earlier)) <= BigInt(encodeTimestamp(later))).toBe(true);
      }),
    );
  });
});

describe("encodeSandboxStatus()", () => {
  const shown = (record: SandboxRecord) =>
    overTheWire<PodSandboxStatusResponse__Output>("PodSandboxStatusResponse", { status: encodeSandboxStatus(record) })
      .status;

  test("shows a ready sandbox whole", () => {
    expect(shown(sandbox)).toEqual({
      id: sandboxId,
      metadata: { name: "web", namespace: "default", uid: "u", attempt: 3 },
      state: "SANDBOX_READY",
      created_at: "1750000000123250000",
      network: { ip: "10.88.0.7", additional_ips: [{ ip: "fd00:88::7" }] },
      linux: {
        namespaces: {
          options: { network: "POD", ipc: "POD", pid: "CONTAINER", target_id: "", userns_options: null },
        },
      },
      labels: { a: "1" },
      annotations: { b: "2" },
      runtime_handler: "",
    });
  });

  test.each([
    [
      { ipv4: undefined, ipv6: "fd00::1" },
      { ip: "fd00::1", additional_ips: [] },
    ],
    [
      { ipv4: "10.1.2.3", ipv6: undefined },
      { ip: "10.1.2.3", additional_ips: [] },
    ],
    [
      { ipv4: "10.1.2.3", ipv6: "fd00::1", moreAddresses: ["10.1.2.4"] },
      { ip: "10.1.2.3", additional_ips: [{ ip: "fd00::1" }, { ip: "10.1.2.4" }] },
    ],
  ])("shows the addresses %j", (addresses, network) => {
    const record = { ...sandbox, network: { mac: "", interfaceName: "eth0", ...addresses } };
    expect(shown(record)?.network).toEqual(network);
  });

  test.each(["notReady", "removing", "creating"] as const)(
    "shows state %s as not ready, without addresses",
    (state) => {
      const { state: shownState, network } = shown({ ...sandbox, state, network: undefined }) ?? {};
      expect([shownState, network]).toEqual(["SANDBOX_NOTREADY", { ip: "", additional_ips: [] }]);
    },
  );
});

describe("encodeContainerStatus()", () => {
  const exited = {
    kind: "exited",
    startedAtMs: 1000,
    finishedAtMs: 2000.5,
    exitCode: 137,
    reason: "OOMKilled",
    message: "m",
  } as const;
  const life = { started_at: "0", finished_at: "0", exit_code: 0, reason: "", message: "" };
  const ended = {
    state: "CONTAINER_EXITED",
    started_at: "1000000000",
    finished_at: "2000500000",
    exit_code: 137,
    reason: "OOMKilled",
    message: "m",
  };

  test.each([
    [{ kind: "created" }, { ...life, state: "CONTAINER_CREATED" }],
    [{ kind: "starting" }, { ...life, state: "CONTAINER_CREATED" }],
    [
      { kind: "running", startedAtMs: 1000, pid: 5 },
      { ...life, state: "CONTAINER_RUNNING", started_at: "1000000000" },
    ],
    [exited, ended],
    [{ kind: "removing", last: exited }, ended],
  ] as const)("of %j", (state, expected) => {
    expect(status(container(state))).toMatchObject(expected);
  });

  test("names the image, the user, the log and the signal", () => {
    expect(status(container({ kind: "created" }))).toMatchObject({
      image: { image: "debian:12", user_specified_image: "" },
      image_ref: "docker.io/library/debian@sha256:bb",
      image_id: "sha256:aa",
      log_path: "/var/log/pods/x/app/0.log",
      user: { linux: { uid: "1000", gid: "5", supplemental_groups: ["5", "7"] } },
      stop_signal: "SIGNAL_SIGTERM",
    });
  });

  test("gives back the mounts and limits that were asked for", () => {
    const int64 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
    const text = fc.stringMatching(/^[a-zA-Z0-9._-]{1,20}$/).filter((name) => name !== "." && name !== "..");
    const mount = fc.record({ host_path: text, container_path: text, readonly: fc.boolean() });
    const resources = fc.record({
      cpu_period: int64,
      cpu_quota: int64,
      cpu_shares: int64,
      memory_limit_in_bytes: int64,
      memory_swap_limit_in_bytes: int64,
      oom_score_adj: fc.integer({ min: -1000, max: 1000 }).map(String),
      cpuset_cpus: fc.constantFrom("", "0", "0-3,7"),
      cpuset_mems: fc.constantFrom("", "0"),
      hugepage_limits: fc.array(fc.record({ page_size: fc.constantFrom("2MB", "1GB"), limit: int64 }), {
        maxLength: 2,
      }),
      unified: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}\.[a-z]{1,8}$/), text, { maxKeys: 3 }),
    });
    const mounts = fc.uniqueArray(mount, { maxLength: 4, selector: ({ container_path }) => container_path });
    fc.assert(
      fc.property(mounts, resources, (asked, limits) => {
        const wanted = asked.map((one) => ({
          ...one,
          host_path: `/h/${one.host_path}`,
          container_path: `/c/${one.container_path}`,
        }));
        const shown = status(container({ kind: "created" }, { mounts: wanted, linux: { resources: limits } }));
        expect(shown?.resources?.linux).toEqual(limits);
        expect(shown?.mounts).toMatchObject(wanted);
      }),
      { numRuns: 50 },
    );
  });

  test("shares what a list shows", () => {
    const record = container({ kind: "running", startedAtMs: 1, pid: 2 }, { labels: { a: "b" } });
    const [listed] = overTheWire<ListContainersResponse__Output>("ListContainersResponse", {
      containers: [encodeContainer(record)],
    }).containers;
    const { pod_sandbox_id, ...shared } = listed ?? { pod_sandbox_id: "" };
    expect(pod_sandbox_id).toBe(sandboxId);
    expect(status(record)).toMatchObject(shared);
  });
});

describe("encodeImage()", () => {
  const [imageId, layerId, topId] = ["a", "b", "c"].map((digit) => parseDigest(`sha256:${digit.repeat(64)}`)) as [
    Digest,
    Digest,
    Digest,
  ];
  const image: ImageRecord = {
    id: imageId,
    tags: ["docker.io/library/debian:12"],
    digests: ["docker.io/library/debian@sha256:bb"],
    chainIds: [layerId, topId],
    sizeBytes: 12345,
    pinned: true,
    annotations: { n: "1" },
    createdAt: "2026-01-01T00:00:00Z",
    contentDigests: [],
    config: {
      user: "",
      env: ["A=1"],
      entrypoint: [],
      cmd: ["bash"],
      workingDir: "",
      stopSignal: "",
      volumes: ["/data"],
      labels: {},
      architecture: "amd64",
      os: "linux",
    },
  };
  const shown = (one: ImageRecord) =>
    overTheWire<ImageStatusResponse__Output>("ImageStatusResponse", { image: encodeImage(one) }).image;

  test("shows it whole", () => {
    expect(shown(image)).toMatchObject({
      id: imageId,
      repo_tags: ["docker.io/library/debian:12"],
      repo_digests: ["docker.io/library/debian@sha256:bb"],
      size: "12345",
      uid: null,
      username: "",
      spec: { image: "docker.io/library/debian:12", annotations: { n: "1" } },
      pinned: true,
    });
  });

  test.each([
    ["", null, ""],
    ["1003:1004", { value: "1003" }, ""],
    ["0", { value: "0" }, ""],
    ["www-data:1004", null, "www-data"],
  ])("splits user %j", (user, uid, username) => {
    expect(shown({ ...image, config: { ...image.config, user } })).toMatchObject({ uid, username });
  });

  test("never says size 0, which clients take for broken", () => {
    expect(shown({ ...image, sizeBytes: 0 })?.size).toBe("1");
  });

  test("describeImage() uses containerd's names", () => {
    expect(describeImage(image)).toMatchObject({
      chainID: topId,
      imageSpec: { os: "linux", config: { Cmd: ["bash"], Volumes: { "/data": {} } } },
    });
  });
});

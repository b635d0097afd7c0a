import { once } from "node:events";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import {
  type ContainerId,
  newId,
  parseContainerId,
  parseDigest,
  parseSandboxId,
  type SandboxId,
} from "../../src/common/ids.ts";
import type { ImageRecord } from "../../src/images/image-record.ts";
import type { ContainerRecord } from "../../src/sandbox/container-record.ts";
import type { SandboxRecord } from "../../src/sandbox/sandbox-record.ts";
import type { SandboxSpec } from "../../src/sandbox/sandbox-spec.ts";
import { ask, callByName, refusal, startServer } from "./fake-agent.ts";

const sandboxId: SandboxId = parseSandboxId(newId());
const containerId: ContainerId = parseContainerId(newId());
const metadata = { name: "web", namespace: "default", uid: "u", attempt: 0 };

const spec: SandboxSpec = {
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
const sandbox: SandboxRecord = {
  id: sandboxId,
  state: "ready",
  spec,
  handler: "runc",
  createdAtMs: 1000,
  bootId: "b",
  network: undefined,
  message: "",
};

const image: ImageRecord = {
  id: parseDigest(`sha256:${"a".repeat(64)}`),
  tags: ["docker.io/library/debian:12"],
  digests: [],
  chainIds: [parseDigest(`sha256:${"b".repeat(64)}`)],
  sizeBytes: 5,
  config: {
    user: "",
    env: [],
    entrypoint: [],
    cmd: [],
    workingDir: "",
    stopSignal: "",
    volumes: [],
    labels: {},
    architecture: "amd64",
    os: "linux",
  },
  pinned: false,
  annotations: {},
  createdAt: "2026-01-01T00:00:00Z",
  contentDigests: [],
};

describe("info RPCs", () => {
  test("Version fills all four fields", async () => {
    await using agent = await startServer();
    expect(await ask((done) => agent.runtime.Version({ version: "0.1.0" }, done))).toEqual({
      version: "0.1.0",
      runtime_name: "podling",
      runtime_version: "1.2.3",
      runtime_api_version: "v1",
    });
  });

  test("Status has both conditions and the handler named empty", async () => {
    await using agent = await startServer();
    const features = (name: string) => ({
      recursive_read_only_mounts: name !== "crun",
      user_namespaces: name !== "crun",
    });
    expect(await ask((done) => agent.runtime.Status({ verbose: true }, done))).toEqual({
      status: {
        conditions: [
          { type: "RuntimeReady", status: true, reason: "", message: "" },
          { type: "NetworkReady", status: false, reason: "NetworkPluginNotReady", message: "no router" },
        ],
      },
      info: { config: '{"stateDir":"/run/test"}' },
      runtime_handlers: ["", "crun", "runc"].map((name) => ({ name, features: features(name) })),
      features: { supplemental_groups_policy: true, user_namespaces_host_network: false, mount_options: true },
    });
  });

  test("RuntimeConfig says cgroupfs, UpdateRuntimeConfig takes anything", async () => {
    await using agent = await startServer();
    expect(await ask((done) => agent.runtime.RuntimeConfig({}, done))).toEqual({
      linux: { cgroup_driver: "CGROUPFS" },
    });
    const runtime_config = { network_config: { pod_cidr: "10.0.0.0/8,fd00::/64" } };
    expect(await ask((done) => agent.runtime.UpdateRuntimeConfig({ runtime_config }, done))).toEqual({});
  });
});

describe("sandbox RPCs", () => {
  test("RunPodSandbox hands the decoded request on and gives the full id", async () => {
    const asked: unknown[] = [];
    await using agent = await startServer({
      sandboxes: {
        runSandbox: async (wanted) => {
          asked.push(wanted);
          return sandboxId;
        },
      },
    });
    const answer = await ask((done) => agent.runtime.RunPodSandbox({ config: { metadata } }, done));
    expect([answer, asked]).toEqual([{ pod_sandbox_id: sandboxId }, [spec]]);
  });

  test("ListPodSandbox passes every part of the filter", async () => {
    const filters: unknown[] = [];
    await using agent = await startServer({
      sandboxes: {
        listSandboxes: (filter) => {
          filters.push(filter);
          return [sandbox];
        },
      },
    });
    const filter = { id: "ab", state: { state: 1 as const }, label_selector: { a: "b" } };
    await ask((done) => agent.runtime.ListPodSandbox({ filter }, done));
    await ask((done) => agent.runtime.ListPodSandbox({ filter: { state: { state: "SANDBOX_READY" } } }, done));
    const answer = await ask((done) => agent.runtime.ListPodSandbox({}, done));
    expect(filters).toEqual([{ id: "ab", state: "notReady", labels: { a: "b" } }, { state: "ready", labels: {} }, {}]);
    expect(answer).toMatchObject({ items: [{ id: sandboxId, metadata, created_at: "1000000000" }] });
  });

  test("StreamPodSandboxes gives a long list in several messages, each item once", async () => {
    const many = Array.from({ length: 250 }, (_, index) => ({ ...sandbox, createdAtMs: index + 1 }));
    await using agent = await startServer({ sandboxes: { listSandboxes: () => many } });
    const stream = agent.runtime.StreamPodSandboxes({});
    const times: string[] = [];
    let messages = 0;
    stream.on("data", ({ pod_sandboxes }) => {
      messages++;
      for (const { created_at } of pod_sandboxes) times.push(created_at);
    });
    await once(stream, "end");
    expect([messages, times.length, new Set(times).size]).toEqual([3, 250, 250]);
  });

  test("PodSandboxStatus gives facts only when asked for", async () => {
    await using agent = await startServer({
      sandboxes: {
        getSandbox: () => sandbox,
        containersOf: () => [],
        describeSandbox: async () => ({ netNsPath: "/run/netns/x" }),
      },
    });
    const plain = await ask((done) => agent.runtime.PodSandboxStatus({ pod_sandbox_id: "a" }, done));
    const verbose = await ask((done) => agent.runtime.PodSandboxStatus({ pod_sandbox_id: "a", verbose: true }, done));
    expect([plain, verbose]).toMatchObject([{ info: {} }, { info: { info: '{"netNsPath":"/run/netns/x"}' } }]);
  });

  test.each(["StopPodSandbox", "RemovePodSandbox", "PodSandboxStatus"] as const)(
    "%s refuses an empty id",
    async (name) => {
      await using agent = await startServer();
      const error = await refusal(ask((done) => callByName(agent.runtime, name)({}, done)));
      expect(error).toMatchObject({
        code: status.INVALID_ARGUMENT,
        details: expect.stringContaining("pod_sandbox_id"),
      });
    },
  );
});

describe("container RPCs", () => {
  test("CreateContainer resolves the sandbox first", async () => {
    const asked: unknown[] = [];
    await using agent = await startServer({
      sandboxes: {
        getSandbox: () => sandbox,
        createContainer: async (id, wanted) => {
          asked.push(id, wanted.metadata.name, wanted.image);
          return containerId;
        },
      },
    });
    const config = { metadata: { name: "app" }, image: { image: "debian" } };
    const answer = await ask((done) => agent.runtime.CreateContainer({ pod_sandbox_id: "ab", config }, done));
    expect([answer, asked]).toEqual([{ container_id: containerId }, [sandboxId, "app", "debian"]]);
  });

  test.each([
    ["0", 0],
    ["30", 30_000],
    ["9223372036854775807", 2 ** 31 - 1],
  ])("StopContainer waits %s seconds", async (timeout, expected) => {
    const waits: number[] = [];
    await using agent = await startServer({
      sandboxes: {
        stopContainer: async (_id, graceMs) => {
          waits.push(graceMs);
        },
      },
    });
    await ask((done) => agent.runtime.StopContainer({ container_id: "a", timeout }, done));
    expect(waits).toEqual([expected]);
  });

  test("StopContainer refuses a negative timeout", async () => {
    await using agent = await startServer({ sandboxes: { stopContainer: async () => undefined } });
    const error = await refusal(ask((done) => agent.runtime.StopContainer({ container_id: "a", timeout: -1 }, done)));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining('timeout "-1"') });
  });

  test("ListContainers passes the filter", async () => {
    const filters: unknown[] = [];
    await using agent = await startServer({
      sandboxes: {
        listContainers: (filter): readonly ContainerRecord[] => {
          filters.push(filter);
          return [];
        },
      },
    });
    const filter = { id: "c", pod_sandbox_id: "s", state: { state: "CONTAINER_EXITED" as const } };
    await ask((done) => agent.runtime.ListContainers({ filter }, done));
    await ask((done) => agent.runtime.ListContainers({ filter: { state: { state: "CONTAINER_UNKNOWN" } } }, done));
    expect(filters).toEqual([
      { id: "c", sandboxId: "s", state: "exited", labels: {} },
      { state: "unknown", labels: {} },
    ]);
  });

  test("ExecSync needs a command", async () => {
    await using agent = await startServer();
    const error = await refusal(ask((done) => agent.runtime.ExecSync({ container_id: "a" }, done)));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: "Missing cmd: it is required" });
  });
});

describe("streaming RPCs", () => {
  const running = {
    runningContainer: () => ({ id: containerId }) as ContainerRecord,
    readySandbox: () => sandbox,
  };

  test("Exec, Attach and PortForward give the URL of what was asked for, by its full id", async () => {
    const requests: unknown[] = [];
    const url = (request: { kind: string }) => {
      requests.push(request);
      return `http://127.0.0.1:1/${request.kind}/secret`;
    };
    await using agent = await startServer({ sandboxes: running, streaming: { url } });
    const flags = { tty: true, stdin: true, stdout: true, stderr: false };
    const exec = await ask((done) => agent.runtime.Exec({ container_id: "a", cmd: ["sh"], ...flags }, done));
    const attach = await ask((done) => agent.runtime.Attach({ container_id: "a", ...flags }, done));
    const forward = await ask((done) => agent.runtime.PortForward({ pod_sandbox_id: "p", port: [80] }, done));
    expect([exec, attach, forward]).toEqual(
      ["exec", "attach", "portforward"].map((kind) => ({ url: `http://127.0.0.1:1/${kind}/secret` })),
    );
    expect(requests).toEqual([
      { kind: "exec", containerId, argv: ["sh"], wanted: flags },
      { kind: "attach", containerId, wanted: flags },
      { kind: "portforward", sandboxId, ports: [80] },
    ]);
  });

  const both = { tty: true, stdout: true, stderr: true };
  test.each([
    ["Exec", {}, "Missing container_id"],
    ["Exec", { container_id: "a", stdout: true }, "Missing cmd"],
    ["Exec", { container_id: "a", cmd: ["x\0"], stdout: true }, "cmd[0]"],
    ["Exec", { container_id: "a", cmd: ["x"] }, "at least one of them must be true"],
    ["Exec", { container_id: "a", cmd: ["x"], ...both }, "must be false with tty"],
    ["Attach", { stdout: true }, "Missing container_id"],
    ["Attach", { container_id: "a", tty: true }, "at least one of them must be true"],
    ["Attach", { container_id: "a", ...both }, "must be false with tty"],
    ["PortForward", { port: [80] }, "Missing pod_sandbox_id"],
    ["PortForward", { pod_sandbox_id: "p", port: [80, 0] }, "port[1]"],
    ["PortForward", { pod_sandbox_id: "p", port: [65_536] }, "port[0]"],
    ["PortForward", { pod_sandbox_id: "p", port: Array.from({ length: 101 }, () => 1) }, "at most 100"],
  ] as const)("%s refuses %j", async (name, request, words) => {
    await using agent = await startServer({ sandboxes: running });
    const error = await refusal(ask((done) => callByName(agent.runtime, name)(request, done)));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining(words) });
  });
});

describe("image RPCs", () => {
  test("PullImage gives the image id, and credentials go to the pull only", async () => {
    const requests: unknown[] = [];
    await using agent = await startServer({
      images: {
        pull: async (request) => {
          requests.push(request);
          return image;
        },
      },
    });
    const auth = { username: "u", password: "p", server_address: "r.example" };
    const answer = await ask((done) => agent.images.PullImage({ image: { image: "debian" }, auth }, done));
    const annotations = { "k8s.aliyun.com/acr-instance-ids": "cri-a" };
    const sandbox_config = { metadata: { name: "p", namespace: "n", uid: "u", attempt: 0 }, annotations };
    const handled = { image: { image: "debian", runtime_handler: "crun" }, sandbox_config };
    await ask((done) => agent.images.PullImage(handled, done));
    expect(answer).toEqual({ image_ref: image.id });
    const nobody = { namespace: "", serviceAccount: "", annotations: {} };
    expect(requests).toEqual([
      { reference: "debian", pod: nobody, auth: { username: "u", password: "p", serverAddress: "r.example" } },
      { reference: "debian", pod: { namespace: "n", serviceAccount: "", annotations } },
    ]);
  });

  test.each([
    [{}, "image.image"],
    [{ image: { image: "" } }, "image.image"],
    [{ image: { image: "debian", runtime_handler: "nope" } }, "must be one of crun, runc"],
  ])("PullImage refuses %j", async (request, message) => {
    await using agent = await startServer();
    const error = await refusal(ask((done) => agent.images.PullImage(request, done)));
    expect(error).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringContaining(message) });
  });

  test("ImageStatus of an absent image is OK without one", async () => {
    await using agent = await startServer({ images: { resolve: () => undefined } });
    expect(await ask((done) => agent.images.ImageStatus({ image: { image: "x" } }, done))).toEqual({
      image: null,
      info: {},
    });
  });

  test("ListImages honours the filter's name", async () => {
    await using agent = await startServer({
      images: { list: () => [image, image], resolve: (name) => (name === "debian" ? image : undefined) },
    });
    const count = async (name: string) => {
      const { images } = await ask<{ images: unknown[] }>((done) =>
        agent.images.ListImages({ filter: { image: { image: name } } }, done),
      );
      return images.length;
    };
    expect([await count(""), await count("debian"), await count("other")]).toEqual([2, 1, 0]);
  });

  test("ImageFsInfo answers with one filesystem for both", async () => {
    const usage = { mountpoint: "/var/lib/x", usedBytes: 2 ** 53, inodesUsed: 7, timestampMs: 1000 };
    await using agent = await startServer({ images: { fsInfo: async () => usage } });
    const filesystem = {
      timestamp: "1000000000",
      fs_id: { mountpoint: "/var/lib/x" },
      used_bytes: { value: "9007199254740992" },
      inodes_used: { value: "7" },
    };
    expect(await ask((done) => agent.images.ImageFsInfo({}, done))).toEqual({
      image_filesystems: [filesystem],
      container_filesystems: [filesystem],
    });
  });
});

import { describe, expect, test } from "vitest";
import type { ContainerConfig } from "../../src/generated/runtime/v1/ContainerConfig.ts";
import type { PodSandboxConfig } from "../../src/generated/runtime/v1/PodSandboxConfig.ts";
import { containerConfig, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

/** gRPC codes by number. */
const invalidArgument = 3;
const notFound = 5;

interface Refusal {
  readonly code: number;
  /** What the message has to name: the field and the value. */
  readonly names: readonly string[];
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("bad requests", () => {
  const world = useWorld();

  const pods: readonly [string, (pod: PodSandboxConfig) => PodSandboxConfig, Refusal][] = [
    ["no metadata", ({ metadata: _, ...rest }) => rest, { code: invalidArgument, names: ["metadata"] }],
    [
      "an empty name",
      (pod) => ({ ...pod, metadata: { ...pod.metadata, name: "" } }),
      { code: invalidArgument, names: ["metadata.name"] },
    ],
    [
      "a relative log directory",
      (pod) => ({ ...pod, log_directory: "logs/here" }),
      { code: invalidArgument, names: ["log_directory", "logs/here"] },
    ],
    [
      "a hostname that is none",
      (pod) => ({ ...pod, hostname: "bad_host!" }),
      { code: invalidArgument, names: ["hostname", "bad_host!"] },
    ],
    [
      "the host's network",
      (pod) => ({ ...pod, linux: { security_context: { namespace_options: { network: "NODE" } } } }),
      { code: invalidArgument, names: ["network", "NODE"] },
    ],
    [
      "a privileged pod",
      (pod) => ({ ...pod, linux: { security_context: { privileged: true } } }),
      { code: invalidArgument, names: ["privileged"] },
    ],
    [
      "a DNS server that is no address",
      (pod) => ({ ...pod, dns_config: { servers: ["not-an-ip\nnameserver 6.6.6.6"] } }),
      { code: invalidArgument, names: ["dns_config.servers", "not-an-ip"] },
    ],
  ];
  test.each(pods)("a pod with %s is refused by field and value; the next one runs", async (_, spoil, want) => {
    const { client } = world();
    const good = podConfig(world());
    const error = await client.call("RunPodSandbox", { config: spoil(good) }).then(
      () => undefined,
      (refusal: { code: number; details: string }) => refusal,
    );
    expect(error).toMatchObject({ code: want.code });
    for (const name of want.names) expect(error?.details).toContain(name);
    expect((await client.call("ListPodSandbox", {})).items).toEqual([]);
    await client.call("RunPodSandbox", { config: good });
  });

  const containers: readonly [string, ContainerConfig, Refusal][] = [
    ["no metadata", { metadata: null }, { code: invalidArgument, names: ["metadata"] }],
    [
      "an image that was never pulled",
      { image: { image: "never.example/pulled:v1" } },
      { code: notFound, names: ["never.example/pulled:v1"] },
    ],
    ["no image", { image: null }, { code: invalidArgument, names: ["image"] }],
    [
      "a log path that leaves the log directory",
      { log_path: "../../etc/cron.d/evil" },
      { code: invalidArgument, names: ["log_path", "../../etc/cron.d/evil"] },
    ],
    [
      "an unknown capability",
      { linux: { security_context: { capabilities: { add_capabilities: ["CAP_FLY"] } } } },
      { code: invalidArgument, names: ["add_capabilities", "CAP_FLY"] },
    ],
    [
      "a host path",
      { mounts: [{ host_path: "/etc", container_path: "/host" }] },
      { code: invalidArgument, names: ["host_path", "/etc"] },
    ],
    [
      "a user that is not in the image",
      { linux: { security_context: { run_as_username: "nobody-here" } } },
      { code: invalidArgument, names: ["nobody-here"] },
    ],
  ];
  test.each(containers)(
    "a container with %s is refused by field and value; the next one runs",
    async (_, spoil, want) => {
      const { client } = world();
      const { podId, pod } = await runContainer(world());
      const create = (overrides: ContainerConfig) =>
        client.call("CreateContainer", {
          pod_sandbox_id: podId,
          config: containerConfig(world(), "second", [], overrides),
          sandbox_config: pod,
        });
      const error = await create(spoil).then(
        () => undefined,
        (refusal: { code: number; details: string }) => refusal,
      );
      expect(error).toMatchObject({ code: want.code });
      for (const name of want.names) expect(error?.details).toContain(name);
      expect((await client.call("ListContainers", {})).containers).toHaveLength(1);
      const { container_id } = await create({});
      await client.call("StartContainer", { container_id });
    },
  );

  test("an id that several share is ambiguous, and an empty one is missing", async () => {
    const { client } = world();
    for (const id of [""]) {
      await expect(client.call("PodSandboxStatus", { pod_sandbox_id: id })).rejects.toMatchObject({
        code: invalidArgument,
      });
      await expect(client.call("StopContainer", { container_id: id })).rejects.toMatchObject({ code: invalidArgument });
      await expect(client.call("PullImage", { image: { image: id } })).rejects.toMatchObject({ code: invalidArgument });
    }
  });

  test("a container of a stopped pod is refused", async () => {
    const { client } = world();
    const { podId, pod } = await runContainer(world());
    await client.call("StopPodSandbox", { pod_sandbox_id: podId });
    const config = containerConfig(world(), "late");
    await expect(
      client.call("CreateContainer", { pod_sandbox_id: podId, config, sandbox_config: pod }),
    ).rejects.toMatchObject({ code: 9, details: expect.stringContaining(podId) });
  });
});

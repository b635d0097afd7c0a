import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { pushImage } from "../support/push-image.ts";
import { RegistryProxy } from "../support/registry-proxy.ts";
import { containerConfig, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const deadlineExceeded = 4;

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("retried requests", () => {
  const world = useWorld();

  test("the same pod asked for ten times at once, and once more, is one pod", async () => {
    const { client } = world();
    const config = podConfig(world());
    const runs = Array.from({ length: 10 }, () => client.call("RunPodSandbox", { config }));
    const ids = new Set((await Promise.all(runs)).map((answer) => answer.pod_sandbox_id));
    ids.add((await client.call("RunPodSandbox", { config })).pod_sandbox_id);
    expect(ids.size).toBe(1);
    expect((await client.call("ListPodSandbox", {})).items).toHaveLength(1);
  });

  test("another attempt is another pod", async () => {
    const { client } = world();
    const config = podConfig(world());
    const first = await client.call("RunPodSandbox", { config });
    const again = { ...config, metadata: { ...config.metadata, attempt: 1 } };
    const second = await client.call("RunPodSandbox", { config: again });
    expect(second.pod_sandbox_id).not.toBe(first.pod_sandbox_id);
  });

  test("the same container asked for ten times at once is one container", async () => {
    const { client } = world();
    const { podId, pod } = await runContainer(world());
    const config = containerConfig(world(), "second");
    const create = () => client.call("CreateContainer", { pod_sandbox_id: podId, config, sandbox_config: pod });
    const ids = new Set((await Promise.all(Array.from({ length: 10 }, create))).map((answer) => answer.container_id));
    expect(ids.size).toBe(1);
    expect((await client.call("ListContainers", {})).containers).toHaveLength(2);
  });

  test("stops and removes of the same pod at once all succeed", async () => {
    const { client } = world();
    const { podId, containerId } = await runContainer(world());
    const all = Array.from({ length: 5 }, () => [
      client.call("StopContainer", { container_id: containerId }),
      client.call("StopPodSandbox", { pod_sandbox_id: podId }),
      client.call("RemoveContainer", { container_id: containerId }),
      client.call("RemovePodSandbox", { pod_sandbox_id: podId }),
    ]);
    await Promise.all(all.flat());
    expect((await client.call("ListPodSandbox", {})).items).toEqual([]);
  });

  test.each([1, 3, 10, 30, 100])(
    "a pod whose client gave up after %i ms is finished or gone, and the retry gets it",
    async (timeoutMs) => {
      const { client } = world();
      const config = podConfig(world());
      const first = await client.call("RunPodSandbox", { config }, { timeoutMs }).then(
        (answer) => answer.pod_sandbox_id,
        (error: { code: number }) => expect(error.code).toBe(deadlineExceeded),
      );
      const { pod_sandbox_id } = await client.call("RunPodSandbox", { config });
      if (typeof first === "string") expect(pod_sandbox_id).toBe(first);
      expect((await client.call("ListPodSandbox", {})).items.map(({ id }) => id)).toEqual([pod_sandbox_id]);
    },
  );

  test("a pull whose client gave up is joined by the retry", async () => {
    const { client, registry } = world();
    await using proxy = await RegistryProxy.start(registry.host);
    proxy.faults = { delayMs: 20 };
    const image = buildImage({ layers: [await buildLayer([{ name: "noise", body: randomBytes(3_000_000) }])] });
    const pushed = await pushImage(registry, "team/slow", "v1", image);
    const reference = pushed.reference.replace(registry.host, proxy.host);
    const pull = (timeoutMs: number) => client.call("PullImage", { image: { image: reference } }, { timeoutMs });
    const impatient = expect(pull(300)).rejects.toMatchObject({ code: deadlineExceeded });
    const patient = pull(60_000);
    await impatient;
    expect((await patient).image_ref).toBe(pushed.id);
    expect(proxy.sentBytes).toBeLessThan(3_600_000);
    await client.call("RemoveImage", { image: { image: pushed.id } });
  });

  test("a stop whose client gave up goes on", async () => {
    const { client } = world();
    const script = 'trap "" TERM; echo deaf; while :; do sleep 1; done';
    const { containerId, logPath } = await runContainer(world(), ["/bin/sh", "-c", script]);
    // Before, the signal would end it at once.
    await eventually("the trap", () => readFileSync(logPath, "utf8").includes("deaf"));
    const stop = client.call("StopContainer", { container_id: containerId, timeout: "2" }, { timeoutMs: 300 });
    await expect(stop).rejects.toMatchObject({ code: deadlineExceeded });
    await eventually("the container's end", async () => {
      const { status } = await client.call("ContainerStatus", { container_id: containerId });
      return status?.state === "CONTAINER_EXITED";
    });
  });
});

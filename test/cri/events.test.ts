import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ContainerEventResponse__Output } from "../../src/generated/runtime/v1/ContainerEventResponse.ts";
import { eventually } from "../support/eventually.ts";
import { isAlive } from "../support/is-alive.ts";
import { podConfig, runContainer } from "../support/requests.ts";
import { cannotRun, toolsDirectory } from "../support/requirements.ts";
import { useWorld, type World } from "../support/world.ts";

type Events = AsyncIterableIterator<ContainerEventResponse__Output>;

/** Reads events until one is of this kind and object. @returns all that came, that one last */
async function until(events: Events, type: string, id: string): Promise<readonly ContainerEventResponse__Output[]> {
  const heard: ContainerEventResponse__Output[] = [];
  for (;;) {
    const { value, done } = await events.next();
    if (done) throw new Error(`The stream ended before ${type} of ${id}`);
    heard.push(value);
    if (value.container_event_type === type && value.container_id === id) return heard;
  }
}

/** Each event as text, with the states its statuses show. */
function summary(events: readonly ContainerEventResponse__Output[], names: Readonly<Record<string, string>>) {
  return events.map(({ container_id, container_event_type, pod_sandbox_status, containers_statuses }) => {
    const type = container_event_type.replace(/^CONTAINER_|_EVENT$/g, "").toLowerCase();
    const states = containers_statuses.map(({ state }) => state.replace("CONTAINER_", ""));
    return `${names[container_id]} ${type}: ${pod_sandbox_status?.state.replace("SANDBOX_", "")} [${states}]`;
  });
}

async function wholeLife(world: World) {
  const { client } = world;
  const running = await runContainer(world);
  await client.call("StopContainer", { container_id: running.containerId, timeout: "0" });
  await client.call("RemoveContainer", { container_id: running.containerId });
  await client.call("StopPodSandbox", { pod_sandbox_id: running.podId });
  await client.call("RemovePodSandbox", { pod_sandbox_id: running.podId });
  return running;
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("GetContainerEvents", () => {
  const world = useWorld();

  test("tells two subscribers a pod's whole life, with the statuses as of after each change", async () => {
    const { client } = world();
    const streams = [await client.stream("GetContainerEvents", {}), await client.stream("GetContainerEvents", {})];
    const { podId, containerId, pod } = await wholeLife(world());
    for (const stream of streams) {
      const all = await until(stream, "CONTAINER_DELETED_EVENT", podId);
      const heard = all.filter(({ pod_sandbox_status }) => pod_sandbox_status?.id === podId);
      expect(summary(heard, { [podId]: "pod", [containerId]: "container" })).toEqual([
        "pod created: READY []",
        "pod started: READY []",
        "container created: READY [CREATED]",
        "container started: READY [RUNNING]",
        "container stopped: READY [EXITED]",
        "container deleted: READY []",
        "pod stopped: NOTREADY []",
        "pod deleted: NOTREADY []",
      ]);
      const times = heard.map(({ created_at }) => BigInt(created_at));
      expect(times.every((time, index) => time > (times[index - 1] ?? 0n))).toBe(true);
      expect(heard.every((event) => event.pod_sandbox_status?.metadata?.uid === pod.metadata?.uid)).toBe(true);
      await stream.return?.();
    }
  });

  test("says the same as the statuses do", async () => {
    const { client } = world();
    const stream = await client.stream("GetContainerEvents", {});
    const { podId, containerId } = await runContainer(world());
    const last = (await until(stream, "CONTAINER_STARTED_EVENT", containerId)).at(-1);
    const pod = await client.call("PodSandboxStatus", { pod_sandbox_id: podId });
    const container = await client.call("ContainerStatus", { container_id: containerId });
    expect(last?.pod_sandbox_status).toEqual(pod.status);
    expect(last?.containers_statuses).toEqual([container.status]);
    expect(pod.containers_statuses).toEqual([container.status]);
    expect(BigInt(pod.timestamp)).toBeGreaterThan(BigInt(last?.created_at ?? "0"));
    await stream.return?.();
  });

  test("tells a start that failed and an exit by itself, with code and reason", async () => {
    const { client } = world();
    const stream = await client.stream("GetContainerEvents", {});
    const ended = await runContainer(world(), ["/bin/sh", "-c", "exit 3"]);
    const exit = (await until(stream, "CONTAINER_STOPPED_EVENT", ended.containerId)).at(-1);
    expect(exit?.containers_statuses).toMatchObject([{ state: "CONTAINER_EXITED", exit_code: 3, reason: "Error" }]);
    await expect(runContainer(world(), ["/no/such/program"])).rejects.toThrow("no such file");
    const { value } = await (async () => {
      for (;;) {
        const next = await stream.next();
        if (next.value?.container_event_type === "CONTAINER_STOPPED_EVENT") return next;
      }
    })();
    expect(value.containers_statuses).toMatchObject([{ exit_code: 128, reason: "StartError" }]);
    await stream.return?.();
  });

  test("tells the first who comes after a crash what ended meanwhile, and ends its streams when it stops", async () => {
    const { agent, client } = world();
    const running = await runContainer(world(), ["/bin/sh", "-c", "until [ -e /tmp/go ]; do sleep 0.05; done; exit 5"]);
    const answer = await client.call("ContainerStatus", { container_id: running.containerId, verbose: true });
    const { pid } = JSON.parse(answer.info["info"] ?? "{}") as { pid: number };
    await agent.kill();
    writeFileSync(`/proc/${pid}/root/tmp/go`, "");
    await eventually("the container's end", () => !isAlive(pid));
    await agent.start();
    const stream = await client.stream("GetContainerEvents", {});
    const heard = await until(stream, "CONTAINER_STOPPED_EVENT", running.containerId);
    expect(heard.map((event) => event.container_event_type)).toEqual(["CONTAINER_STOPPED_EVENT"]);
    expect(heard.at(-1)?.containers_statuses).toMatchObject([{ exit_code: 5 }]);
    const next = stream.next().catch((error: unknown) => error);
    await agent.stop();
    expect(await next).toMatchObject({ code: 14 });
    await agent.start();
  });

  test("crictl events prints each of them", async () => {
    const { agent, crictl } = world();
    const config = join(agent.instance.scratch, "crictl.yaml");
    const template = "{{.containerId}} {{.containerEventType}} {{.podSandboxStatus.state}}";
    const watcher = spawn(
      join(toolsDirectory, "crictl"),
      ["--config", config, "events", "-o", "go-template", "--template", template],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let printed = "";
    watcher.stdout.on("data", (text: Buffer) => {
      printed += text;
    });
    try {
      // Until it has subscribed, what happens waits for it.
      const podId = await crictl.run("runp", crictl.file(podConfig(world())));
      await crictl.run("stopp", podId);
      await crictl.run("rmp", podId);
      await eventually("the pod's end to be printed", () => printed.includes("CONTAINER_DELETED_EVENT"));
      // Pods of earlier tests, of which nobody has heard yet, are told of first.
      expect(printed.split("\n").filter((line) => line.includes(podId))).toEqual([
        `${podId} CONTAINER_CREATED_EVENT SANDBOX_READY`,
        `${podId} CONTAINER_STARTED_EVENT SANDBOX_READY`,
        `${podId} CONTAINER_STOPPED_EVENT SANDBOX_NOTREADY`,
        `${podId} CONTAINER_DELETED_EVENT SANDBOX_NOTREADY`,
      ]);
    } finally {
      watcher.kill();
    }
  });
});

import { readFileSync, renameSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { status as Code } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { execOutput, type RunningContainer, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { stopShim } from "../support/stop-shim.ts";
import { useWorld, type World } from "../support/world.ts";

const echoing = ["/bin/sh", "-c", "i=0; while :; do echo line $i; i=$((i+1)); sleep 0.1; done"];
const stubborn = ["/bin/sh", "-c", 'trap "" TERM; while :; do sleep 0.1; done'];
const obedient = ["/bin/sh", "-c", 'trap "exit 0" TERM; while :; do sleep 0.05; done'];

async function stateOf({ client }: World, { containerId }: RunningContainer): Promise<string> {
  const { status } = await client.call("ContainerStatus", { container_id: containerId });
  return status?.state ?? "";
}

async function pidOf({ client }: World, { containerId }: RunningContainer): Promise<number> {
  const { info } = await client.call("ContainerStatus", { container_id: containerId, verbose: true });
  return (JSON.parse(info["info"] ?? "{}") as { pid: number }).pid;
}

async function podState({ client }: World, { podId }: RunningContainer): Promise<string> {
  return (await client.call("PodSandboxStatus", { pod_sandbox_id: podId })).status?.state ?? "";
}

describe.skipIf(cannotRun("docker-registry", "runc"))("a pod whose shim does not answer", () => {
  const world = useWorld();

  test("is stopped and removed by the kernel and the runtime, with its container's exit code", async () => {
    const { client } = world();
    const running = await runContainer(world(), stubborn);
    const pid = await pidOf(world(), running);
    using _stopped = stopShim(world(), running.podId);
    await client.call("StopContainer", { container_id: running.containerId, timeout: "1" });
    const { status } = await client.call("ContainerStatus", { container_id: running.containerId });
    expect(status).toMatchObject({ state: "CONTAINER_EXITED", exit_code: 137, reason: "Error" });
    expect(() => readFileSync(`/proc/${pid}/environ`)).toThrow();
    await client.call("RemoveContainer", { container_id: running.containerId });
    await client.call("StopPodSandbox", { pod_sandbox_id: running.podId });
    await client.call("RemovePodSandbox", { pod_sandbox_id: running.podId });
  });

  test("gets its stop signal all the same, and a later stop with less patience wins", async () => {
    const { client } = world();
    const marked = ["/bin/sh", "-c", 'trap "touch /tmp/asked" TERM; while :; do sleep 0.05; done'];
    const running = await runContainer(world(), marked);
    const pid = await pidOf(world(), running);
    using _stopped = stopShim(world(), running.podId);
    const patient = client.call("StopContainer", { container_id: running.containerId, timeout: "600" });
    const asked = `/proc/${pid}/root/tmp/asked`;
    await eventually("the stop signal to arrive", () => readFileSync(asked) !== undefined);
    expect(await stateOf(world(), running)).toBe("CONTAINER_RUNNING");
    await client.call("StopContainer", { container_id: running.containerId, timeout: "1" });
    await patient;
    expect(await stateOf(world(), running)).toBe("CONTAINER_EXITED");
  }, 120_000);

  test("is removed in one call, with all its containers, while other pods come and go", async () => {
    const { client } = world();
    const running = await runContainer(world(), stubborn);
    using _stopped = stopShim(world(), running.podId);
    const removal = client.call("RemovePodSandbox", { pod_sandbox_id: running.podId });
    const other = await runContainer(world(), obedient);
    await client.call("StopContainer", { container_id: other.containerId, timeout: "10" });
    await client.call("RemovePodSandbox", { pod_sandbox_id: other.podId });
    await removal;
  });

  test("one container's end leaves the others of its pod running, and the shim that comes back takes them on", async () => {
    const { client } = world();
    const first = await runContainer(world(), stubborn);
    const config = {
      ...first.config,
      metadata: { name: "second", attempt: 0 },
      command: echoing,
      log_path: "second.log",
    };
    const create = { pod_sandbox_id: first.podId, config, sandbox_config: first.pod };
    const { container_id: secondId } = await client.call("CreateContainer", create);
    await client.call("StartContainer", { container_id: secondId });
    const second = { ...first, containerId: secondId };
    const pid = await pidOf(world(), second);
    {
      using _stopped = stopShim(world(), first.podId);
      await client.call("StopContainer", { container_id: first.containerId, timeout: "0" });
      await client.call("RemoveContainer", { container_id: first.containerId });
      expect(await stateOf(world(), second)).toBe("CONTAINER_RUNNING");
    }
    expect(await execOutput(world(), secondId, "echo", "back")).toBe("back\n");
    expect(await pidOf(world(), second)).toBe(pid);
    expect(await podState(world(), first)).toBe("SANDBOX_READY");
  });
});

describe.skipIf(cannotRun("docker-registry", "runc"))("an agent started while shims are stopped", () => {
  const world = useWorld();

  test("serves at once: ten silent pods hold up neither it nor the eleventh", async () => {
    const { agent, client } = world();
    const silent: RunningContainer[] = [];
    for (let index = 0; index < 10; index++) silent.push(await runContainer(world(), echoing));
    const healthy = await runContainer(world(), echoing);
    const ended = silent.at(-1) ?? healthy;
    const pids = await Promise.all(silent.map((running) => pidOf(world(), running)));
    await agent.kill();
    const startedAt = performance.now();
    await agent.start();
    const usualStartMs = performance.now() - startedAt;

    await agent.kill();
    using stopped = new DisposableStack();
    for (const { podId } of silent) stopped.use(stopShim(world(), podId));
    process.kill(pids.at(-1) ?? 0, "SIGKILL");
    const restartedAt = performance.now();
    await agent.start();
    const startMs = performance.now() - restartedAt;
    // One after another they would take 5 s each.
    expect(startMs).toBeLessThan(usualStartMs * 2 + 5_000);

    expect(await execOutput(world(), healthy.containerId, "echo", "here")).toBe("here\n");
    const size = readFileSync(healthy.logPath).length;
    await eventually("more of the healthy pod's log", () => readFileSync(healthy.logPath).length > size);
    for (const running of silent) expect(await podState(world(), running)).toBe("SANDBOX_READY");
    for (const running of silent.slice(0, -1)) expect(await stateOf(world(), running)).toBe("CONTAINER_RUNNING");
    await eventually("the truth about a process that is gone", async () => {
      return (await stateOf(world(), ended)) === "CONTAINER_UNKNOWN";
    });
    const unknown = await client.call("ListContainers", { filter: { state: { state: "CONTAINER_UNKNOWN" } } });
    expect(unknown.containers.map(({ id }) => id)).toEqual([ended.containerId]);

    const [removed, stoppedOne, ...kept] = silent;
    if (removed === undefined || stoppedOne === undefined) throw new Error("no pods");
    await expect(execOutput(world(), stoppedOne.containerId, "true")).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    await client.call("StopContainer", { container_id: stoppedOne.containerId, timeout: "0" });
    expect(await stateOf(world(), stoppedOne)).toBe("CONTAINER_EXITED");
    await client.call("RemovePodSandbox", { pod_sandbox_id: removed.podId });

    stopped.dispose();
    for (const [index, running] of kept.slice(0, -1).entries()) {
      await eventually(
        `pod ${index} to be taken up`,
        async () => {
          const before = readFileSync(running.logPath).length;
          await sleep(150);
          return readFileSync(running.logPath).length > before;
        },
        40_000,
      );
      expect(await execOutput(world(), running.containerId, "echo", "again")).toBe("again\n");
      expect(await pidOf(world(), running)).toBe(pids[index + 2]);
    }
    const exit = await eventually(
      "the exit that only the shim knew",
      async () => {
        const { status } = await client.call("ContainerStatus", { container_id: ended.containerId });
        return status?.state === "CONTAINER_EXITED" && status;
      },
      40_000,
    );
    expect(exit).toMatchObject({ exit_code: 137, reason: "Error" });
    expect(await stateOf(world(), stoppedOne)).toBe("CONTAINER_EXITED");
  }, 300_000);

  test("takes up a silent pod's log where it was rotated meanwhile, and stops a silent pod by its caller's wish", async () => {
    const { agent, client } = world();
    const running = await runContainer(world(), echoing);
    const other = await runContainer(world(), stubborn);
    await agent.kill();
    using stopped = new DisposableStack();
    stopped.use(stopShim(world(), running.podId));
    using _stopped = stopShim(world(), other.podId);
    await agent.start();
    renameSync(running.logPath, `${running.logPath}.1`);
    await client.call("StopPodSandbox", { pod_sandbox_id: other.podId });
    expect(await stateOf(world(), other)).toBe("CONTAINER_EXITED");
    expect(await podState(world(), other)).toBe("SANDBOX_NOTREADY");
    stopped.dispose();
    await eventually("the log to go on", () => readFileSync(running.logPath).length > 0, 40_000);
  }, 120_000);
});

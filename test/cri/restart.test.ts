import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { instanceProcesses } from "../support/instance-objects.ts";
import { execOutput, type RunningContainer, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("an agent that is started again", () => {
  const world = useWorld();

  const status = async (running: RunningContainer) => {
    const answer = await world().client.call("ContainerStatus", { container_id: running.containerId, verbose: true });
    const { pid } = JSON.parse(answer.info["info"] ?? "{}") as { pid: number };
    return { ...answer.status, pid };
  };

  test.each(["stop", "kill"] as const)("after a %s finds its containers running, with log and exec", async (how) => {
    const { agent } = world();
    const script = 'i=0; while :; do echo "line $i"; i=$((i+1)); sleep 0.02; done';
    const running = await runContainer(world(), ["/bin/sh", "-c", script]);
    const lines = () =>
      readFileSync(running.logPath, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ").slice(3).join(" "));
    await eventually("some lines", () => lines().length > 5);
    const before = await status(running);
    await agent[how]();
    expect(readFileSync(`/proc/${before.pid}/comm`, "utf8").trim()).toBe("sh");
    await agent.start();
    expect(await status(running)).toMatchObject({
      state: "CONTAINER_RUNNING",
      pid: before.pid,
      created_at: before.created_at,
      started_at: before.started_at,
    });
    const count = lines().length;
    await eventually("further lines", () => lines().length > count + 5);
    const all = lines();
    // A kill may lose what the agent had read and not yet written: at most what a pipe holds, never what comes after.
    const numbers = all.map((line) => Number(line.replace("line ", "")));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(await execOutput(world(), running.containerId, "echo", "here")).toBe("here\n");
  });

  test.each([
    ["exit 9", 9],
    ["kill -KILL $$", 137],
  ])("tells how a container ended while it was down: %s", async (end, exitCode) => {
    const { agent, client } = world();
    const script = `until [ -e /tmp/go ]; do sleep 0.05; done; ${end}`;
    const running = await runContainer(world(), ["/bin/sh", "-c", script]);
    const { pid } = await status(running);
    await agent.kill();
    writeFileSync(`/proc/${pid}/root/tmp/go`, "");
    await eventually("the container's end", () => {
      try {
        return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
      } catch {
        return true;
      }
    });
    await agent.start();
    const ended = await eventually("the exit to be known", async () => {
      const now = await client.call("ContainerStatus", { container_id: running.containerId });
      return now.status?.state === "CONTAINER_EXITED" && now.status;
    });
    expect(ended).toMatchObject({ exit_code: exitCode, reason: "Error" });
    expect(Number(ended.finished_at)).toBeGreaterThanOrEqual(Number(ended.started_at));
  });

  test("keeps pods, images and addresses, and removes what it is asked to", async () => {
    const { agent, client } = world();
    const running = await runContainer(world());
    const before = await client.call("PodSandboxStatus", { pod_sandbox_id: running.podId });
    const images = await client.call("ListImages", {});
    await agent.kill();
    await agent.start();
    expect((await client.call("PodSandboxStatus", { pod_sandbox_id: running.podId })).status).toEqual(before.status);
    expect(await client.call("ListImages", {})).toEqual(images);
    const other = await runContainer(world());
    const next = await client.call("PodSandboxStatus", { pod_sandbox_id: other.podId });
    expect(next.status?.network?.ip).not.toBe(before.status?.network?.ip);
    await client.call("StopPodSandbox", { pod_sandbox_id: running.podId });
    await client.call("RemovePodSandbox", { pod_sandbox_id: running.podId });
  });

  test("reports a pod's containers as ended when their shim was killed", async () => {
    const { agent, client } = world();
    const running = await runContainer(world());
    const shims = instanceProcesses(agent.instance.name).filter(({ what }) => what.startsWith("shim"));
    expect(shims).toHaveLength(1);
    for (const { pid } of shims) process.kill(pid, "SIGKILL");
    await eventually("the container to be known as ended", async () => {
      const now = await client.call("ContainerStatus", { container_id: running.containerId });
      return now.status?.state === "CONTAINER_EXITED";
    });
  });
});

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { PodSandboxConfig } from "../../src/generated/runtime/v1/PodSandboxConfig.ts";
import { findShims } from "../../src/runtime/shim-process.ts";
import type { Agent } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { expectNothingLeft } from "../support/leak-check.ts";
import { execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { removeAllPods, startWorld, type World } from "../support/world.ts";
import { killPoints } from "./kill-points.ts";

const points = Object.keys(killPoints).filter((name) => killPoints[name] === "warm");

/** Ids of the shims that wait for a pod and answer. */
function waiting({ instance }: Agent): readonly string[] {
  const directory = join(instance.state, "warm");
  const names = existsSync(directory) ? readdirSync(directory) : [];
  return names.filter((name) => existsSync(join(directory, name, "shim.json")));
}

const ready = (agent: Agent, count: number) =>
  eventually(`${count} shims to wait`, () => waiting(agent).length === count && waiting(agent));
const shimsOf = ({ instance }: Agent) => findShims(`podling-${instance.name}`);

/** Runs a pod and removes it. @returns whether the agent outlived it */
async function runs({ agent, client }: World, config: PodSandboxConfig): Promise<boolean> {
  try {
    const { pod_sandbox_id } = await client.call("RunPodSandbox", { config });
    await client.call("RemovePodSandbox", { pod_sandbox_id });
    return true;
  } catch (error) {
    await agent.ended().catch(() => {
      throw error;
    });
    return false;
  }
}

async function finish(world: World): Promise<void> {
  await removeAllPods(world);
  await world.agent.stop();
  await expectNothingLeft(world.agent);
}

describe.skipIf(cannotRun("docker-registry", "runc", "crun"))("shims launched ahead of their pods", () => {
  test("serve pods of every handler with the same shim, are replaced, and end with the agent", async () => {
    await using resources = new AsyncDisposableStack();
    const world = await startWorld(resources, { warmShims: 2 });
    for (const handler of ["runc", "crun"]) {
      const ahead = await ready(world.agent, 2);
      const pids = new Map(shimsOf(world.agent).map(({ id, pid }) => [id, pid]));
      const { podId, containerId } = await runContainer(world, [], { handler });
      expect(ahead).toContain(podId);
      expect(await execOutput(world, containerId, "echo", "hi")).toBe("hi\n");
      expect(shimsOf(world.agent).find(({ id }) => id === podId)?.pid).toBe(pids.get(podId));
    }
    await ready(world.agent, 2);
    expect(shimsOf(world.agent)).toHaveLength(4);
    await finish(world);
  });

  test("a pod that fails leaves none of them behind, and one that is killed from outside is replaced", async () => {
    await using resources = new AsyncDisposableStack();
    const world = await startWorld(resources, { warmShims: 1 });
    const [first] = await ready(world.agent, 1);
    const refused = { runtime_handler: "none", config: podConfig(world) };
    await expect(world.client.call("RunPodSandbox", refused)).rejects.toThrow("no such handler");
    expect(waiting(world.agent)).toEqual([first]);
    const config = podConfig(world, { annotations: { "k8s.aliyun.com/eci-vswitch": "vsw-none" } });
    await expect(world.client.call("RunPodSandbox", { config })).rejects.toThrow("vsw-none");
    const [second] = await ready(world.agent, 1);
    for (const { pid } of shimsOf(world.agent)) process.kill(pid, "SIGKILL");
    await eventually("another shim", () => {
      const now = waiting(world.agent);
      return now.length === 1 && now[0] !== second && shimsOf(world.agent).length === 1;
    });
    await runContainer(world);
    await finish(world);
  });

  test("those of a killed agent go, those of its pods stay", async () => {
    await using resources = new AsyncDisposableStack();
    const world = await startWorld(resources, { warmShims: 2 });
    await ready(world.agent, 2);
    const { podId, containerId } = await runContainer(world);
    const before = await ready(world.agent, 2);
    await world.agent.kill();
    await world.agent.start();
    await eventually("other shims", () => {
      const now = waiting(world.agent);
      return now.length === 2 && !now.some((id) => before.includes(id)) && shimsOf(world.agent).length === 3;
    });
    expect(shimsOf(world.agent).some(({ id }) => id === podId)).toBe(true);
    expect(await execOutput(world, containerId, "echo", "hi")).toBe("hi\n");
    await finish(world);
  });

  test.each(points)("an agent killed at %s leaves nothing that the next one's end does not take away", async (name) => {
    await using resources = new AsyncDisposableStack();
    const world = await startWorld(resources, { warmShims: 1 });
    await ready(world.agent, 1);
    await world.agent.stop();
    world.agent.spawn(name);
    const config = podConfig(world);
    if (name.startsWith("run.")) {
      await world.agent.serving();
      await ready(world.agent, 1);
      // The agent may not have its connection to the shim yet; a pod of that moment launches its own.
      await eventually("a pod that gets the shim", () => runs(world, config).then((ran) => !ran));
    }
    await world.agent.ended();
    await world.agent.start();
    await world.client.call("RunPodSandbox", { config });
    expect((await world.client.call("ListPodSandbox", {})).items).toHaveLength(1);
    await finish(world);
  });
});

import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Agent } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";
import { type RunningContainer, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { startWorld, type World } from "../support/world.ts";
import { liveThrough } from "./courses.ts";
import { killPoints } from "./kill-points.ts";
import { PersistentCaller } from "./persistent-caller.ts";

const src = join(import.meta.dirname, "../../src");
const pointsOn = (...courses: readonly string[]) =>
  Object.entries(killPoints).filter(([, course]) => courses.includes(course));

test("every failpoint of src is in the table, and the table has no other", () => {
  const found = globSync("**/*.ts", { cwd: src }).flatMap((file) =>
    [...readFileSync(join(src, file), "utf8").matchAll(/failpoint\("([^"]+)"\)/g)].map((match) => match[1] ?? ""),
  );
  expect(found.toSorted()).toEqual(Object.keys(killPoints).toSorted());
  expect(new Set(Object.keys(killPoints).map((name) => name.split(".")[0]))).toEqual(
    new Set(["pull", "run", "create", "start", "exec", "stop", "remove", "recover", "net", "update", "warm", "cache"]),
  );
});

/** The courses a snapshotter is led through, and, beside them, the points of all others that depend on it. */
const trials = [
  {
    snapshotter: "overlay",
    life: pointsOn("life", "stubborn", "held", "shared", "mapped", "published", "limited", "running", "silent"),
    recovery: pointsOn("recovery"),
  },
  {
    snapshotter: "erofs",
    life: [
      ...pointsOn("indexed"),
      ...pointsOn("life", "running").filter(([name]) => /^(pull|create|remove)\./.test(name)),
      ...pointsOn("mapped").filter(([name]) => name.startsWith("create.")),
    ],
    recovery: pointsOn("recovery", "indexed-recovery"),
  },
] as const;

const cannotKill = cannotRun("docker-registry", "runc");

describe.skipIf(cannotKill).each(trials)("an agent with $snapshotter killed in the middle of a pod's life", (trial) => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let witness: RunningContainer;
  let witnessPid: number;
  let before: HostSnapshot;

  const witnessStatus = async () => {
    const { client } = world;
    const answer = await client.call("ContainerStatus", { container_id: witness.containerId, verbose: true });
    return { ...answer.status, pid: (JSON.parse(answer.info["info"] ?? "{}") as { pid: number }).pid };
  };

  beforeAll(async () => {
    const images = { snapshotter: trial.snapshotter };
    world = await startWorld(resources, { overrides: { profile: "node", images } });
    // One process that never ends and keeps writing: a shell's loop would have another child at every look.
    witness = await runContainer(world, ["/bin/ping", "-i", "0.1", "127.0.0.1"]);
    witnessPid = (await witnessStatus()).pid;
    before = await settled(world.agent);
  });
  afterAll(async () => {
    await resources.disposeAsync();
  });
  beforeEach(async (context) => {
    const logged = world.agent.log().length;
    context.onTestFailed(() => {
      process.stderr.write(`agent's log at "${context.task.name}":\n${world.agent.log().slice(logged).slice(-6000)}\n`);
    });
    if (!world.agent.running) await world.agent.start();
    await removeOthers();
  });

  async function removeOthers(): Promise<void> {
    const { items } = await world.client.call("ListPodSandbox", {});
    for (const { id } of items) {
      if (id !== witness.podId) await world.client.call("RemovePodSandbox", { pod_sandbox_id: id });
    }
    const { images } = await world.client.call("ListImages", {});
    for (const { id } of images) {
      if (id !== world.busybox.id) await world.client.call("RemoveImage", { image: { image: id } });
    }
  }

  /** The pod that ran before the kill still runs, and no two pods or containers are the same one. */
  async function lookAround(): Promise<void> {
    expect(await witnessStatus()).toMatchObject({ state: "CONTAINER_RUNNING", pid: witnessPid });
    const size = readFileSync(witness.logPath).length;
    await eventually("more of the witness's log", () => readFileSync(witness.logPath).length > size);
    const { items } = await world.client.call("ListPodSandbox", {});
    expect(new Set(items.map(({ metadata }) => metadata?.name)).size).toBe(items.length);
    expect(items.length).toBeLessThanOrEqual(2);
    const { containers } = await world.client.call("ListContainers", {});
    expect(containers.length).toBeLessThanOrEqual(2);
  }

  test.each(trial.life)("at %s (%s): retries converge, nothing is lost or left", async (name, course) => {
    await world.agent.stop();
    await world.agent.start(name);
    const caller = new PersistentCaller(world, lookAround);
    await liveThrough(world, caller, course);
    if (caller.deaths === 0) await caller.revive(5_000);
    expect(caller.deaths).toBe(1);
    await expectNoLeaks(world.agent, before, { timeoutMs: 15_000 });
  });

  test.each(trial.recovery)("at %s: the next start takes up what runs", async (name) => {
    await world.agent.kill();
    world.agent.spawn(name);
    await world.agent.ended();
    await world.agent.start();
    await lookAround();
    await expectNoLeaks(world.agent, before, { timeoutMs: 15_000 });
  });
});

describe.skipIf(cannotRun("docker-registry", "runc"))(
  "an agent killed while it builds or takes down what it stands on",
  () => {
    test.each(pointsOn("host"))(
      "at %s: the next start finds its way, and the next end leaves nothing",
      async (name) => {
        await using resources = new AsyncDisposableStack();
        const agent = resources.use(await Agent.start());
        const before = await settled(agent);
        await agent.stop();
        await expectNothingLeft(agent);

        agent.spawn(name);
        const survived = await agent.serving().then(
          () => true,
          () => false,
        );
        // What is not on the way up is on the way down.
        if (survived) await expect(agent.stop()).rejects.toThrow("SIGKILL");
        expect(agent.running).toBe(false);
        await agent.start();
        await expectNoLeaks(agent, before);
        await agent.stop();
        await expectNothingLeft(agent);
      },
    );
  },
);

/** The host once what happens in the background has come to rest. */
async function settled(agent: Agent): Promise<HostSnapshot> {
  let last = await hostSnapshot(agent);
  return eventually("a host at rest", async () => {
    const next = await hostSnapshot(agent);
    const same = JSON.stringify(next) === JSON.stringify(last);
    last = next;
    return same && next;
  });
}

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AgentBridge, debianPlugins, lacksPlugins } from "../support/cni-network.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";
import { cannotRun } from "../support/requirements.ts";
import { removeAllPods, startWorld, type World } from "../support/world.ts";
import { liveThrough } from "./courses.ts";
import { killPoints } from "./kill-points.ts";
import { PersistentCaller } from "./persistent-caller.ts";

/** Each plugin's ADD and DEL has its own kill: the list has four plugins. */
const points = Object.keys(killPoints)
  .filter((name) => killPoints[name] === "cni")
  .flatMap((name) => (name.includes("-plugin-") ? [1, 2, 3, 4].map((pass) => `${name}:${pass}`) : [name]));
const unable = lacksPlugins(debianPlugins) || cannotRun("docker-registry", "runc");

describe.skipIf(unable)("an agent killed while CNI plugins run", () => {
  const resources = new AsyncDisposableStack();
  const bridge = new AgentBridge();
  let world: World;
  let before: HostSnapshot;

  beforeAll(async () => {
    resources.defer(() => bridge.network[Symbol.asyncDispose]());
    world = await startWorld(resources, { overrides: { profile: "node" }, network: bridge.settings });
    before = await hostSnapshot(world.agent);
  });
  afterAll(() => resources.disposeAsync());

  test.each(points)("at %s: retries converge, nothing is lost or left", async (point) => {
    await removeAllPods(world);
    await world.agent.stop();
    await world.agent.start(point);
    const caller = new PersistentCaller(world, async () => undefined);
    await liveThrough(world, caller, "published");
    expect(caller.deaths).toBe(1);
    await expectNoLeaks(world.agent, before, { timeoutMs: 15_000 });
    await expect.poll(() => bridge.network.leftovers(), { timeout: 15_000 }).toEqual([]);
  });

  test("leaves nothing at its end", async () => {
    await world.agent.stop();
    await expectNothingLeft(world.agent);
  });
});

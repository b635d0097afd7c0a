import { describe, expect, test } from "vitest";
import { AgentBridge, debianPlugins, lacksPlugins } from "../support/cni-network.ts";
import { expectNoLeaks, expectNothingLeft, hostSnapshot } from "../support/leak-check.ts";
import { cannotRun } from "../support/requirements.ts";
import { startWorld } from "../support/world.ts";
import { liveThrough } from "./courses.ts";
import { killPoints } from "./kill-points.ts";
import { PersistentCaller } from "./persistent-caller.ts";

/** Each plugin's ADD and DEL has its own kill: the list has four plugins. */
const points = Object.keys(killPoints)
  .filter((name) => killPoints[name] === "cni")
  .flatMap((name) => (name.includes("-plugin-") ? [1, 2, 3, 4].map((pass) => `${name}:${pass}`) : [name]));

describe.skipIf(lacksPlugins(debianPlugins) || cannotRun("docker-registry", "runc"))(
  "an agent killed while CNI plugins run",
  () => {
    test.each(points)("at %s: retries converge, nothing is lost or left", async (point) => {
      await using resources = new AsyncDisposableStack();
      const bridge = new AgentBridge();
      resources.defer(() => bridge.network[Symbol.asyncDispose]());
      const world = await startWorld(resources, { overrides: { profile: "node" }, network: bridge.settings });
      const before = await hostSnapshot(world.agent);
      await world.agent.stop();
      await world.agent.start(point);
      const caller = new PersistentCaller(world, async () => undefined);
      await liveThrough(world, caller, "published");
      expect(caller.deaths).toBe(1);
      await expectNoLeaks(world.agent, before, { timeoutMs: 15_000 });
      await expect.poll(() => bridge.network.leftovers(), { timeout: 15_000 }).toEqual([]);
      await world.agent.stop();
      await expectNothingLeft(world.agent);
    });
  },
);

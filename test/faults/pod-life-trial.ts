import { readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { expectNoLeaks, type HostSnapshot } from "../support/leak-check.ts";
import { type RunningContainer, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { startWorld, type World } from "../support/world.ts";
import { liveThrough } from "./courses.ts";
import type { KillPoint } from "./kill-points.ts";
import { PersistentCaller } from "./persistent-caller.ts";
import { settledHost } from "./settled-host.ts";

/** What an agent with one snapshotter is killed at. */
export interface PodLifeTrial {
  readonly snapshotter: "overlay" | "erofs";
  /** Points that a pod's life passes, in its course. */
  readonly life: readonly KillPoint[];
  /** Points that an agent passes when it starts beside a pod. */
  readonly recovery: readonly KillPoint[];
}

/** Declares a trial's tests. Each trial has a file of its own, so that two of them run at once. */
export function killThroughPodLife(trial: PodLifeTrial): void {
  const title = `an agent with ${trial.snapshotter} killed in the middle of a pod's life`;
  describe.skipIf(cannotRun("docker-registry", "runc"))(title, () => {
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
      before = await settledHost(world.agent);
    });
    afterAll(async () => {
      await resources.disposeAsync();
    });
    beforeEach(async (context) => {
      const logged = world.agent.log().length;
      context.onTestFailed(() => {
        process.stderr.write(
          `agent's log at "${context.task.name}":\n${world.agent.log().slice(logged).slice(-6000)}\n`,
        );
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
}

import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { Agent } from "./agent.ts";
import type { AgentSettings } from "./agent-config.ts";
import { busyboxLayer } from "./busybox-image.ts";
import { CriClient } from "./cri-client.ts";
import { Crictl } from "./crictl.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "./leak-check.ts";
import { buildImage } from "./oci-image.ts";
import { type PushedImage, pushImage } from "./push-image.ts";
import { Registry } from "./registry.ts";
import { reserveInstance } from "./test-instance.ts";

/** An agent, a registry with a small image, and two clients: what an end-to-end test works with. */
export interface World {
  readonly agent: Agent;
  readonly registry: Registry;
  readonly crictl: Crictl;
  readonly client: CriClient;
  /** busybox with `sleep 3600` as its command, pushed and not yet pulled. */
  readonly busybox: PushedImage;
}

/**
 * Sets a world up for the tests of a file, and after each of them removes the pods that are left and checks that the
 * host is as it was before. Images a test pulls may stay until the file's end.
 * @returns the world, once the tests run
 */
export function useWorld(settings: AgentSettings = {}): () => World {
  const resources = new AsyncDisposableStack();
  let world: World | undefined;
  let before: HostSnapshot | undefined;
  const current = () => {
    if (world === undefined) throw new Error("The world is not set up yet");
    return world;
  };

  beforeAll(async () => {
    world = await startWorld(resources, settings);
  });
  beforeEach(async (context) => {
    const { agent } = current();
    before = await hostSnapshot(agent);
    const logged = agent.log().length;
    context.onTestFailed(() => {
      process.stderr.write(`agent's log during "${context.task.name}":\n${agent.log().slice(logged).slice(-8000)}\n`);
    });
  });
  afterEach(async () => {
    if (before === undefined) return;
    await removeAllPods(current());
    await expectNoLeaks(current().agent, before, { imagesKept: true });
  });
  afterAll(async () => {
    try {
      if (world !== undefined) {
        await world.agent.stop();
        await expectNothingLeft(world.agent);
      }
    } finally {
      await resources.disposeAsync();
    }
  });
  return current;
}

/** Starts the parts; the stack ends them in the right order. */
export async function startWorld(resources: AsyncDisposableStack, settings: AgentSettings = {}): Promise<World> {
  const instance = await reserveInstance();
  const registry = resources.use(await Registry.start({ directory: join(instance.scratch, "registry") }));
  const image = buildImage({ layers: [await busyboxLayer()], config: { Cmd: ["/bin/sleep", "3600"] } });
  const busybox = await pushImage(registry, "test/busybox", "1", image);
  const mirrors = { [registry.host]: registry.host, ...settings.mirrors };
  const agent = resources.use(await Agent.start({ ...settings, mirrors }, instance));
  const client = resources.use(new CriClient(agent.socket));
  return { agent, registry, client, crictl: new Crictl(agent), busybox };
}

/** Stops and removes every pod the agent lists. */
export async function removeAllPods({ agent, client }: Pick<World, "agent" | "client">): Promise<void> {
  if (!agent.running) await agent.start();
  const { items } = await client.call("ListPodSandbox", {});
  for (const { id } of items) {
    await client.call("StopPodSandbox", { pod_sandbox_id: id });
    await client.call("RemovePodSandbox", { pod_sandbox_id: id });
  }
}

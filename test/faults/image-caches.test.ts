import { randomBytes } from "node:crypto";
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { requestCallback } from "@grpc/grpc-js";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { AgentClient } from "../../src/cli/agent-client.ts";
import type { DeleteImageCacheResponse__Output } from "../../src/generated/podling/v1/DeleteImageCacheResponse.ts";
import type { ImageCache__Output } from "../../src/generated/podling/v1/ImageCache.ts";
import type { ListImageCachesResponse__Output } from "../../src/generated/podling/v1/ListImageCachesResponse.ts";
import { Agent } from "../support/agent.ts";
import { busyboxLayer } from "../support/busybox-image.ts";
import { CriClient } from "../support/cri-client.ts";
import { Crictl } from "../support/crictl.ts";
import { eventually } from "../support/eventually.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { type PushedImage, pushImage } from "../support/push-image.ts";
import { Registry } from "../support/registry.ts";
import { RequestLog } from "../support/request-log.ts";
import { execOutput, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { reserveInstance } from "../support/test-instance.ts";
import { removeAllPods, type World } from "../support/world.ts";
import { killPoints } from "./kill-points.ts";
import { PersistentCaller } from "./persistent-caller.ts";

const host = "killed.test";
const pointsOn = (course: string) => Object.keys(killPoints).filter((name) => killPoints[name] === course);
/** A cache is made of two images: the second one's pull is cut off as well. */
const pulls = Object.keys(killPoints).filter((name) => name.startsWith("pull.") && killPoints[name] === "life");
const creations = [...pointsOn("cache"), ...pulls, "cache.image-kept:2", "pull.resolved:2", "pull.recorded:2"];

describe.skipIf(cannotRun("docker-registry", "runc"))("an agent killed while it makes an image cache", () => {
  const resources = new AsyncDisposableStack();
  let world: World;
  let requests: RequestLog;
  let before: HostSnapshot;

  beforeAll(async () => {
    const instance = await reserveInstance();
    const registry = resources.use(await Registry.start({ directory: join(instance.scratch, "registry") }));
    requests = resources.use(await RequestLog.start(registry.host));
    mkdirSync(join(instance.scratch, "manifests.d"));
    const busybox = await pushImage(registry, "kill/busybox", "1", buildImage({ layers: [await busyboxLayer()] }));
    const images = { snapshotter: process.env["PODLING_TEST_SNAPSHOTTER"] ?? "auto" };
    const agent = resources.use(
      await Agent.start({ mirrors: { [host]: requests.host }, overrides: { profile: "node", images } }, instance),
    );
    const client = resources.use(new CriClient(agent.socket));
    world = { agent, registry, client, crictl: new Crictl(agent), busybox };
    before = await hostSnapshot(agent);
  });
  beforeEach((context) => {
    const logged = world.agent.log().length;
    context.onTestFailed(() => {
      process.stderr.write(`agent's log:\n${world.agent.log().slice(logged).slice(-6000)}\n`);
    });
  });
  afterAll(async () => {
    try {
      await world.agent.stop();
      await expectNothingLeft(world.agent);
    } finally {
      await resources.disposeAsync();
    }
  });

  async function push(name: string): Promise<PushedImage> {
    const own = await buildLayer([{ name: `own-${name}`, body: randomBytes(4096).toString("hex") }]);
    const image = buildImage({ layers: [await busyboxLayer(), own], config: { Cmd: ["/bin/sleep", "3600"] } });
    const pushed = await pushImage(world.registry, `kill/${name}`, "1", image);
    const named = (reference: string) => reference.replace(world.registry.host, host);
    return { ...pushed, reference: named(pushed.reference), digestReference: named(pushed.digestReference) };
  }

  async function ask<Answer>(start: (client: AgentClient, done: requestCallback<Answer>) => unknown): Promise<Answer> {
    using client = new AgentClient(world.agent.socket);
    return await client.ask<Answer>((done) => start(client, done));
  }
  const create = (name: string, images: readonly string[]) =>
    ask<ImageCache__Output>((client, done) =>
      client.admin.CreateImageCache({ name, spec: { images: [...images] } }, done),
    );
  const remove = (name: string) =>
    ask<DeleteImageCacheResponse__Output>((client, done) => client.admin.DeleteImageCache({ image_cache: name }, done));
  const list = async () =>
    (await ask<ListImageCachesResponse__Output>((client, done) => client.admin.ListImageCaches({}, done))).image_caches;

  /** Waits for a phase, and starts the agent again when it dies meanwhile. */
  async function settled(caller: PersistentCaller, name: string): Promise<ImageCache__Output> {
    return eventually(`image cache ${name} to be made or to fail`, async () => {
      const caches = await caller.call(list);
      expect(caches).toHaveLength(1);
      return caches.find((cache) => cache.name === name && ["Ready", "Failed", "UpdateFailed"].includes(cache.phase));
    });
  }

  /** Every image the cache says it has is whole: containers of it run without a request to the registry. */
  async function expectWhole(images: ReadonlyMap<string, PushedImage>): Promise<void> {
    requests.take();
    for (const [name, { digestReference }] of images) {
      const running = await runContainer(world, [], { container: { image: { image: digestReference } } });
      expect(await execOutput(world, running.containerId, "wc", "-c", `/own-${name}`)).toBe(`8192 /own-${name}\n`);
    }
    expect(requests.take()).toEqual([]);
    await removeAllPods(world);
    for (const { id } of (await world.client.call("ListImages", {})).images) {
      await world.client.call("RemoveImage", { image: { image: id } });
    }
  }

  async function restart(point: string): Promise<PersistentCaller> {
    await world.agent.stop();
    await world.agent.start(point);
    return new PersistentCaller(world, async () => undefined);
  }

  async function expectClean(): Promise<void> {
    const open = (await hostSnapshot(world.agent)).own["open file"] ?? [];
    await expectNoLeaks(world.agent, { ...before, own: { ...before.own, "open file": open } }, { timeoutMs: 15_000 });
  }

  test.each(creations)("at %s: the next one goes on, and nothing is lost or left", async (point) => {
    const images = new Map([
      ["first", await push("first")],
      ["second", await push("second")],
    ]);
    const references = [...images.values()].map(({ reference }) => reference);
    const caller = await restart(point);
    const { image_cache_id: id } = await caller.call(() => create("killed", references));
    const cache = await settled(caller, "killed");
    expect(cache).toMatchObject({ image_cache_id: id, phase: "Ready", progress: "100%" });
    expect(cache.images.map(({ id: imageId }) => imageId)).toEqual([...images.values()].map((image) => image.id));
    if (!point.startsWith("cache.forgotten") && !point.startsWith("cache.removed")) {
      expect(caller.deaths).toBe(1);
      await expectWhole(images);
    }
    await caller.call(() => remove("killed"));
    if (caller.deaths === 0) await caller.revive(5_000);
    expect(caller.deaths).toBe(1);
    expect(await list()).toEqual([]);
    await expectClean();
  });

  test.each(pointsOn("cache-failure"))("at %s: a failed one leaves nothing", async (point) => {
    const image = await push("whole");
    const caller = await restart(point);
    await caller.call(() => create("failing", [image.reference, `${host}/kill/missing:1`]));
    const cache = await settled(caller, "failing");
    expect([cache.phase, cache.images]).toEqual(["Failed", []]);
    if (caller.deaths === 0) await caller.revive(5_000);
    expect(caller.deaths).toBe(1);
    await caller.call(() => remove("failing"));
    await expectClean();
  });

  test.each(pointsOn("cache-update"))("at %s: the next one goes on to the manifest's new images", async (point) => {
    const [first, second] = [await push("first"), await push("second")];
    const directory = join(world.agent.instance.scratch, "manifests.d");
    const apply = (images: readonly PushedImage[]) => {
      const spec = { images: images.map(({ reference }) => reference) };
      const kind = { apiVersion: "eci.alibabacloud.com/v1", kind: "ImageCache", metadata: { name: "followed" } };
      writeFileSync(join(directory, "part"), JSON.stringify({ ...kind, spec }));
      renameSync(join(directory, "part"), join(directory, "cache.json"));
    };
    const caller = await restart(point);
    apply([first]);
    await eventually("the cache to be made", async () => (await list())[0]?.phase === "Ready");
    apply([first, second]);
    await world.agent.ended();
    await caller.revive();
    const cache = await eventually("the cache to follow its manifest", async () => {
      const [found] = await list();
      return found?.phase === "Ready" && found.images.length === 2 && found;
    });
    expect([caller.deaths, cache.images.map(({ id }) => id)]).toEqual([1, [first.id, second.id]]);
    await expectWhole(
      new Map([
        ["first", first],
        ["second", second],
      ]),
    );
    rmSync(join(directory, "cache.json"));
    await eventually("the cache to go with its manifest", async () => (await list()).length === 0);
    await expectClean();
  });
});

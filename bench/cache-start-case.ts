import { mkdirSync } from "node:fs";
import { AgentClient } from "../src/cli/agent-client.ts";
import type { DeleteImageCacheResponse__Output } from "../src/generated/podling/v1/DeleteImageCacheResponse.ts";
import type { ImageCache__Output } from "../src/generated/podling/v1/ImageCache.ts";
import { unmount } from "../src/system/mount.ts";
import { mountOverlay } from "../src/system/overlay.ts";
import { eventually } from "../test/support/eventually.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { durationText } from "./duration-text.ts";
import type { BenchImage } from "./images.ts";
import { place } from "./place.ts";
import { containerConfig, podConfig } from "./pod-case.ts";
import { type RoundWork, runRounds, timed } from "./rounds.ts";
import type { Side } from "./side.ts";
import { median } from "./statistics.ts";

const sizes = [
  ["0.1 GB", "cached-100m"],
  ["1 GB", "cached-1g"],
  ["5 GB", "cached-5g"],
] as const;
const preparationTimeoutMs = 900_000;
const rootfsTimes = 15;

type Size = (typeof sizes)[number];

/**
 * Containers of images that are there already: on our side in a Ready image cache that the pod names, nothing pulled; on
 * theirs pulled before. CreateContainer mounts our rootfs; theirs is mounted in StartContainer, so that only both calls
 * together compare.
 */
export const cacheStartCase: BenchCase = {
  name: "cache-start",
  title: "a container of an image of 0.1, 1 and 5 GB that is ready in a cache",
  expected: Object.fromEntries(sizes.map(([size]) => [`create and start ${size}`, 1])),
  run: async (bench) => {
    await using prepared = new AsyncDisposableStack();
    const caches = new Map<string, string>();
    // Both sides' 5 GB would be more than many a machine has memory.
    const chosen = sizes.filter(([size]) => size !== "5 GB" || bench.settings.storage !== "tmpfs");
    for (const size of chosen) caches.set(size[0], await prepare(bench, size, prepared));
    const result = await runRounds(bench, cacheStartCase.name, (side) => startAll(bench, side, chosen, caches));
    for (const size of chosen) await tellRootfs(bench, size);
    return result;
  },
};

/** @returns the id of the image cache */
async function prepare(bench: Bench, [size, name]: Size, prepared: AsyncDisposableStack): Promise<string> {
  const { reference } = bench.images[name];
  const [ours, theirs] = bench.sides;
  bench.tell(`${size}: a cache is made, and containerd pulls`);
  const id = await makeCache(ours, name, reference);
  prepared.defer(() => removeCache(ours, id));
  const image = { image: reference };
  await theirs.client.call("PullImage", { image }, { timeoutMs: preparationTimeoutMs });
  for (const { client } of bench.sides) prepared.defer(async () => void (await client.call("RemoveImage", { image })));
  return id;
}

async function makeCache(side: Side, name: string, reference: string): Promise<string> {
  using client = new AgentClient(side.socket);
  const ask = () =>
    client.ask<ImageCache__Output>((done) =>
      client.admin.CreateImageCache({ name, spec: { images: [reference] } }, done),
    );
  // The same request again tells how far the same cache is.
  const isReady = async () => {
    const { phase, events, image_cache_id: id } = await ask();
    if (phase === "Failed") throw new Error(`image cache ${name}: ${events.at(-1)?.message}`);
    return phase === "Ready" && id;
  };
  return await eventually(`image cache ${name} to be ready`, isReady, preparationTimeoutMs);
}

async function removeCache(side: Side, id: string): Promise<void> {
  using client = new AgentClient(side.socket);
  await client.ask<DeleteImageCacheResponse__Output>((done) =>
    client.admin.DeleteImageCache({ image_cache: id }, done),
  );
}

async function startAll(
  bench: Bench,
  side: Side,
  chosen: readonly Size[],
  caches: ReadonlyMap<string, string>,
): Promise<RoundWork> {
  const durations: (readonly [string, number])[] = [];
  const usage = await side.daemon.measure(async () => {
    for (let pod = 0; pod < bench.settings.pods; pod++) {
      for (const [size, name] of chosen) {
        bench.signal.throwIfAborted();
        const cacheId = side.name === "podling" ? caches.get(size) : undefined;
        const { createMs, startMs } = await startOne(side, bench.images[name].reference, cacheId);
        durations.push([`create and start ${size}`, createMs + startMs], [`CreateContainer ${size}`, createMs]);
      }
    }
  });
  return { durations, usage: { ...usage, works: bench.settings.pods * chosen.length } };
}

/** Not compared: what the other side would mount is asked of it by a command, which takes longer than a mount. */
async function tellRootfs({ sides, images, tell }: Bench, [size, name]: Size): Promise<void> {
  const durations: number[] = [];
  for (let time = 0; time < rootfsTimes; time++) durations.push(await mountRootfs(sides[0], images[name]));
  const range = [Math.min(...durations), median(durations), Math.max(...durations)].map(durationText);
  tell(`podling's rootfs alone, ${size} in ${images[name].layers} layers: ${range.join(", ")} (least, median, most)`);
}

/** What a first container's rootfs takes alone: every layer found and mounted, and an overlay over all. */
async function mountRootfs(side: Side, image: BenchImage): Promise<number> {
  mkdirSync(place.view, { recursive: true });
  const startedMs = performance.now();
  return await side.withLayers(image, async (lower) => {
    mountOverlay({ lower, target: place.view });
    const mountedMs = performance.now() - startedMs;
    await unmount(place.view);
    return mountedMs;
  });
}

async function startOne({ client, name }: Side, image: string, cacheId: string | undefined) {
  const annotations = cacheId === undefined ? {} : { "k8s.aliyun.com/eci-imc-id": cacheId };
  const config = { ...podConfig({ name }), annotations };
  const { pod_sandbox_id } = await client.call("RunPodSandbox", { config, runtime_handler: "crun" });
  const container = { ...containerConfig, image: { image } };
  let container_id = "";
  const createMs = await timed(async () => {
    ({ container_id } = await client.call("CreateContainer", {
      pod_sandbox_id,
      sandbox_config: config,
      config: container,
    }));
  });
  const startMs = await timed(() => client.call("StartContainer", { container_id }));
  await client.call("StopPodSandbox", { pod_sandbox_id });
  await client.call("RemovePodSandbox", { pod_sandbox_id });
  return { createMs, startMs };
}

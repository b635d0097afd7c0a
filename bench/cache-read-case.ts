import { mkdirSync, writeFileSync } from "node:fs";
import { unmount } from "../src/system/mount.ts";
import { mountOverlay } from "../src/system/overlay.ts";
import { output } from "../test/support/command.ts";
import type { BenchCase } from "./bench-case.ts";
import type { BenchImage } from "./images.ts";
import { place } from "./place.ts";
import { type RoundWork, runRounds, timed } from "./rounds.ts";
import type { Side } from "./side.ts";

/** A throughput of 0.95 of theirs or more. */
const expected = 1 / 0.95;

/**
 * All of an image is read through the overlay that a container of it has: from the disk, then from memory. An image
 * cache keeps an image's layers as a pull does, so that these are reads from a cache, too.
 */
export const cacheReadCase: BenchCase = {
  name: "cache-read",
  title: "every file of an image of ten layers is read",
  expected: { "from the disk": expected, "from memory": expected },
  run: async (bench) => {
    const image = bench.images["large-ten"];
    const request = { image: { image: image.reference } };
    await using pulled = new AsyncDisposableStack();
    for (const { client } of bench.sides) {
      await client.call("PullImage", request, { timeoutMs: 300_000 });
      pulled.defer(async () => void (await client.call("RemoveImage", request, { timeoutMs: 300_000 })));
    }
    // What is still to be written can't be dropped from memory.
    await output(["sync"]);
    return await runRounds(bench, cacheReadCase.name, (side) => readTwice(side, image));
  },
};

async function readTwice(side: Side, image: BenchImage): Promise<RoundWork> {
  const durations: (readonly [string, number])[] = [];
  const usage = await side.daemon.measure(() =>
    side.withLayers(image, async (lower) => {
      mkdirSync(place.view, { recursive: true });
      mountOverlay({ lower, target: place.view });
      try {
        writeFileSync("/proc/sys/vm/drop_caches", "3");
        for (const operation of ["from the disk", "from memory"]) durations.push([operation, await timed(readTree)]);
      } finally {
        await unmount(place.view);
      }
    }),
  );
  return { durations, usage: { ...usage, works: durations.length } };
}

/** Through a pipe, for tar reads nothing when it sees that its output is the null device. */
async function readTree(): Promise<void> {
  await output(["sh", "-c", 'tar -C "$1" -cf - . | cat >/dev/null', "sh", place.view]);
}

import { output } from "../test/support/command.ts";
import { eventually } from "../test/support/eventually.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { expectSameTrees } from "./compare-trees.ts";
import type { BenchImage, ImageName } from "./images.ts";
import { type RoundWork, runRounds, timed } from "./rounds.ts";
import type { Side } from "./side.ts";

/**
 * A cold pull of one image: content and snapshots of the pull before are gone, the registry's files are in memory.
 * @param expected the highest ratio of the pull's time
 */
export function pullCase(name: string, title: string, imageName: ImageName, expected = 0.5): BenchCase {
  return {
    name,
    title,
    expected: { PullImage: expected },
    run: async (bench) => {
      const image = bench.images[imageName];
      await compareTrees(bench, image);
      return runRounds(bench, name, (side) => pullAndRemove(side, image));
    },
  };
}

async function pullAndRemove(side: Side, image: BenchImage): Promise<RoundWork> {
  const before = side.stored();
  // What the other side left to be written must not be written on this one's time.
  await output(["sync"]);
  let pullMs = 0;
  const usage = await side.daemon.measure(async () => {
    pullMs = await timed(() => pull(side, image));
  });
  const removeMs = await timed(() => remove(side, image));
  await expectCold(side, before);
  return {
    durations: [
      ["PullImage", pullMs],
      ["RemoveImage", removeMs],
    ],
    usage: { ...usage, works: 1 },
  };
}

/** A fast pull of something else is worth nothing: both sides must have unpacked the same. */
async function compareTrees(bench: Bench, image: BenchImage): Promise<void> {
  const before = bench.sides.map((side) => side.stored());
  for (const side of bench.sides) await pull(side, image);
  const nodes = await expectSameTrees(bench.sides, image);
  bench.tell(`both trees are the same: ${nodes.toLocaleString("en")} files, directories and links`);
  for (const [index, side] of bench.sides.entries()) {
    await remove(side, image);
    await expectCold(side, before[index] ?? []);
  }
}

function pull(side: Side, { reference }: BenchImage): Promise<unknown> {
  return side.client.call("PullImage", { image: { image: reference } }, { timeoutMs: 300_000 });
}

function remove(side: Side, { reference }: BenchImage): Promise<unknown> {
  return side.client.call("RemoveImage", { image: { image: reference } }, { timeoutMs: 300_000 });
}

async function expectCold(side: Side, before: readonly string[]): Promise<void> {
  await eventually(`${side.name} to have nothing of the image left`, () =>
    side.stored().every((name) => before.includes(name)),
  );
}

import type { Bench, BenchCase } from "./bench-case.ts";
import { type RoundWork, runRounds, timed } from "./rounds.ts";
import type { Side } from "./side.ts";
import { standPods } from "./standing-pods.ts";

/** Pods of one running container each, on each side. */
const podCount = 40;
/** Lists of a round; kubelet asks every ten seconds. */
const listsOfRound = 20;

/** What kubelet asks again and again: the statistics of all containers and of all pods. */
export const statsCase: BenchCase = {
  name: "stats-40",
  title: `the statistics of ${podCount} running pods of one container`,
  expected: { ListContainerStats: 0.5, ListPodSandboxStats: 0.5 },
  run: async (bench) => {
    await using pods = new AsyncDisposableStack();
    await standPods(bench, pods, podCount);
    return await runRounds(bench, statsCase.name, (side) => listAll(bench, side));
  },
};

async function listAll(bench: Bench, { client, daemon }: Side): Promise<RoundWork> {
  const durations: (readonly [string, number])[] = [];
  const usage = await daemon.measure(async () => {
    for (let list = 0; list < listsOfRound; list++) {
      bench.signal.throwIfAborted();
      for (const operation of ["ListContainerStats", "ListPodSandboxStats"] as const) {
        durations.push([operation, await timed(() => listWhole(client, operation))]);
      }
    }
  });
  return { durations, usage: { ...usage, works: listsOfRound } };
}

/** A list that misses one would be quicker. */
async function listWhole(
  client: Side["client"],
  operation: "ListContainerStats" | "ListPodSandboxStats",
): Promise<void> {
  const { stats } = await client.call(operation, {});
  if (stats.length < podCount) throw new Error(`${operation} told of ${stats.length} of ${podCount}`);
}

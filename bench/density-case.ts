import type { Bench, BenchCase } from "./bench-case.ts";
import { type RoundWork, runRounds, timed } from "./rounds.ts";
import type { Side } from "./side.ts";
import { standPods } from "./standing-pods.ts";

/** Pods of one running container each, on each side: more than a kubelet's default of 110. */
const podCount = 200;
/** Of a round, beside the lists. */
const healthChecks = 20;

/** A full node: what lists and statuses cost beside many pods, and what memory the daemon has then. */
export const densityCase: BenchCase = {
  name: "density-200",
  title: `lists and statuses on a node with ${podCount} running pods of one container`,
  expected: { ListPodSandbox: 1, ListContainers: 1, ListContainerStats: 0.5, Version: 1 },
  run: async (bench) => {
    await using pods = new AsyncDisposableStack();
    await standPods(bench, pods, podCount);
    return await runRounds(bench, densityCase.name, (side) => askAll(bench, side));
  },
};

async function askAll(bench: Bench, { client, daemon }: Side): Promise<RoundWork> {
  const durations: (readonly [string, number])[] = [];
  const time = async (operation: string, work: () => Promise<number>) => {
    bench.signal.throwIfAborted();
    let told = 0;
    const duration = await timed(async () => {
      told = await work();
    });
    if (told < podCount) throw new Error(`${operation} told of ${told} of ${podCount}`);
    durations.push([operation, duration]);
  };
  const usage = await daemon.measure(async () => {
    for (let round = 0; round < healthChecks; round++) {
      await time("ListPodSandbox", async () => (await client.call("ListPodSandbox", {})).items.length);
      await time("ListContainers", async () => (await client.call("ListContainers", {})).containers.length);
      // What a short call waits for while a long one is answered is the event loop's lag.
      const stats = time("ListContainerStats", async () => (await client.call("ListContainerStats", {})).stats.length);
      const version = time("Version", async () => {
        await client.call("Version", {});
        return podCount;
      });
      await Promise.all([stats, version]);
    }
  });
  return { durations, usage: { ...usage, works: healthChecks } };
}

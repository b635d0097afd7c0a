import type { Bench, BenchCase } from "./bench-case.ts";
import { containerConfig, podConfig } from "./pod-case.ts";
import { type RoundWork, runRounds, timed } from "./rounds.ts";
import type { Side } from "./side.ts";

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
    for (const side of bench.sides) {
      bench.tell(`${side.name}: ${podCount} pods come up`);
      await side.client.call("PullImage", { image: { image: bench.images.pod.reference } });
      for (let count = 0; count < podCount; count++) {
        bench.signal.throwIfAborted();
        pods.defer(await startPod(side, bench.images.pod.reference));
      }
    }
    return await runRounds(bench, statsCase.name, (side) => listAll(bench, side));
  },
};

/** @returns what removes the pod again */
async function startPod({ client, ...side }: Side, image: string): Promise<() => Promise<void>> {
  const config = podConfig(side);
  const { pod_sandbox_id } = await client.call("RunPodSandbox", { config, runtime_handler: "runc" });
  const request = { pod_sandbox_id, sandbox_config: config, config: { ...containerConfig, image: { image } } };
  const { container_id } = await client.call("CreateContainer", request);
  await client.call("StartContainer", { container_id });
  return async () => {
    await client.call("StopPodSandbox", { pod_sandbox_id });
    await client.call("RemovePodSandbox", { pod_sandbox_id });
  };
}

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

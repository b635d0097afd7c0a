import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../src/common/ids.ts";
import type { PodSandboxConfig } from "../src/generated/runtime/v1/PodSandboxConfig.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { place } from "./place.ts";
import { type RoundWork, runRounds, timed } from "./rounds.ts";
import type { Side } from "./side.ts";

type Durations = ReadonlyArray<readonly [operation: string, durationMs: number]>;

/** A pod of one container comes and goes, one pod at a time. */
export function podCase(handler: "runc" | "crun"): BenchCase {
  const name = `pod-${handler}`;
  return {
    name,
    title: `a pod of one container, up and down, ${handler} on both sides`,
    expected: { up: 1, down: 1 },
    run: async (bench) => {
      for (const side of bench.sides) {
        await side.client.call("PullImage", { image: { image: bench.images.pod.reference } });
      }
      return runRounds(bench, name, (side) => runPods(bench, side, handler));
    },
  };
}

async function runPods(bench: Bench, side: Side, handler: string): Promise<RoundWork> {
  const durations: (readonly [string, number])[] = [];
  const usage = await side.daemon.measure(async () => {
    for (let pod = 0; pod < bench.settings.pods; pod++) {
      bench.signal.throwIfAborted();
      durations.push(...(await runPod(side, bench.images.pod.reference, handler)));
    }
  });
  return { durations, usage: { ...usage, works: bench.settings.pods } };
}

async function runPod(side: Side, image: string, handler: string): Promise<Durations> {
  const { client } = side;
  const config = podConfig(side);
  let podId = "";
  let containerId = "";
  const steps: Readonly<Record<string, () => Promise<unknown>>> = {
    RunPodSandbox: async () => {
      podId = (await client.call("RunPodSandbox", { config, runtime_handler: handler })).pod_sandbox_id;
    },
    CreateContainer: async () => {
      const container = { ...containerConfig, image: { image } };
      const request = { pod_sandbox_id: podId, sandbox_config: config, config: container };
      containerId = (await client.call("CreateContainer", request)).container_id;
    },
    StartContainer: () => client.call("StartContainer", { container_id: containerId }),
    // Kills the container that runs.
    StopPodSandbox: () => client.call("StopPodSandbox", { pod_sandbox_id: podId }),
    RemovePodSandbox: () => client.call("RemovePodSandbox", { pod_sandbox_id: podId }),
  };
  const durations: [string, number][] = [];
  for (const [operation, step] of Object.entries(steps)) durations.push([operation, await timed(step)]);
  const sum = (part: Durations) => part.reduce((total, [, durationMs]) => total + durationMs, 0);
  return [["up", sum(durations.slice(0, 3))], ["down", sum(durations.slice(3))], ...durations];
}

/** As kubelet asks: each container sees its own processes only, the pod's groups are below one parent. */
export function podConfig(side: Pick<Side, "name">): PodSandboxConfig {
  const name = `pod-${newId().slice(0, 12)}`;
  const directory = join(place.podLogs, side.name, name);
  mkdirSync(directory, { recursive: true });
  return {
    metadata: { name, uid: name, namespace: "bench", attempt: 0 },
    hostname: name,
    log_directory: directory,
    linux: { cgroup_parent: place.podGroup, security_context: { namespace_options: { pid: "CONTAINER" } } },
  };
}

export const containerConfig = {
  metadata: { name: "main", attempt: 0 },
  log_path: "main.log",
  linux: { security_context: { namespace_options: { pid: "CONTAINER" } } },
} as const;

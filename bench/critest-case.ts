import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { output } from "../test/support/command.ts";
import { toolsDirectory } from "../test/support/requirements.ts";
import type { Bench, BenchCase } from "./bench-case.ts";
import { place } from "./place.ts";
import { type RoundWork, runRounds } from "./rounds.ts";
import type { Side } from "./side.ts";

type Durations = ReadonlyArray<readonly [operation: string, durationMs: number]>;

/** One of critest's result files. */
interface CritestResult {
  readonly operationsNames: readonly string[];
  readonly datapoints: readonly { readonly operationsDurationsNs: readonly number[] }[];
}

const files = ["pod_benchmark_data.json", "container_benchmark_data.json"] as const;

/** The CRI's names for what critest calls its steps. */
const operationOf: Readonly<Record<string, string>> = {
  CreatePod: "RunPodSandbox",
  StatusPod: "PodSandboxStatus",
  StopPod: "StopPodSandbox",
  RemovePod: "RemovePodSandbox",
  StatusContainer: "ContainerStatus",
};

/** What issues are measured by: critest's pod and container benchmarks, one pod or container at a time. */
export function critestCase(handler: "runc" | "crun"): BenchCase {
  const name = `critest-${handler}`;
  return {
    name,
    title: `critest's own benchmarks of pods and containers, ${handler} on both sides`,
    expected: {
      RunPodSandbox: 0.2,
      PodSandboxStatus: 1,
      StopPodSandbox: 0.2,
      RemovePodSandbox: 1,
      "create and start": handler === "crun" ? 0.6 : 0.8,
      ContainerStatus: 1,
      StopContainer: 1,
      RemoveContainer: 1,
    },
    run: (bench) => runRounds(bench, name, (side) => runCritest(bench, side, handler)),
  };
}

async function runCritest(bench: Bench, side: Side, handler: string): Promise<RoundWork> {
  const { pods } = bench.settings;
  const directory = join(place.base, "critest");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const [parameters, images] = [join(directory, "parameters.yaml"), join(directory, "images.yaml")];
  // JSON is YAML.
  writeFileSync(parameters, JSON.stringify({ podsNumber: pods, containersNumber: pods }));
  writeFileSync(images, JSON.stringify({ defaultTestContainerImage: bench.images.pod.reference }));
  const argv = [
    join(toolsDirectory, "critest"),
    "-benchmark",
    `-runtime-endpoint=unix://${side.socket}`,
    `-runtime-handler=${handler}`,
    `-benchmarking-params-file=${parameters}`,
    `-benchmarking-output-dir=${directory}`,
    `-test-images-file=${images}`,
    "-ginkgo.focus=lifecycle of PodSandbox|basic operations on Container",
    // Always the same order: what one benchmark does to the next, it does on both sides.
    "-ginkgo.seed=1",
  ];
  const usage = await side.daemon.measure(async () => {
    await output(argv, { timeoutMs: 600_000 });
  });
  return {
    durations: files.flatMap((file) => readResult(join(directory, file))),
    usage: { ...usage, works: 2 * pods },
  };
}

function readResult(path: string): Durations {
  const { operationsNames, datapoints } = JSON.parse(readFileSync(path, "utf8")) as CritestResult;
  if (datapoints.length === 0) throw new Error(`critest measured nothing: ${path} is empty`);
  return datapoints.flatMap(({ operationsDurationsNs }) => {
    const steps = operationsNames.map(
      (name, index) => [operationOf[name] ?? name, (operationsDurationsNs[index] ?? Number.NaN) / 1e6] as const,
    );
    const sum = steps.filter(([name]) => name === "CreateContainer" || name === "StartContainer");
    if (sum.length < 2) return steps;
    return [...steps, ["create and start", sum.reduce((total, [, ms]) => total + ms, 0)] as const];
  });
}

import type { Bench } from "./bench-case.ts";
import { containerConfig, podConfig } from "./pod-case.ts";
import type { Side } from "./side.ts";

/** Runs pods of one container each on every side, which end with the stack. */
export async function standPods(bench: Bench, pods: AsyncDisposableStack, count: number): Promise<void> {
  for (const side of bench.sides) {
    bench.tell(`${side.name}: ${count} pods come up`);
    await side.client.call("PullImage", { image: { image: bench.images.pod.reference } });
    for (let started = 0; started < count; started++) {
      bench.signal.throwIfAborted();
      pods.defer(await startPod(side, bench.images.pod.reference));
    }
  }
}

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

import { runSliced } from "../common/time-slice.ts";
import type { PodSandboxMetrics } from "../generated/runtime/v1/PodSandboxMetrics.ts";
import type { RuntimeServiceHandlers } from "../generated/runtime/v1/RuntimeService.ts";
import type { SandboxService } from "../sandbox/sandbox-service.ts";
import type { SandboxUsage, UsageService } from "../sandbox/usage-service.ts";
import { batches } from "./batches.ts";
import { encodePodMetrics, metricDescriptors } from "./encode-metrics.ts";
import type { Rpcs } from "./serve.ts";

export interface MetricsRpcDeps {
  readonly sandboxes: Pick<SandboxService, "listSandboxes">;
  readonly usage: Pick<UsageService, "sandboxes">;
}

/** A pod of twenty containers has a thousand metrics, a third of a megabyte. */
const podsOfMessage = 8;

function* encodeAll(pods: readonly SandboxUsage[]): Generator<void, PodSandboxMetrics[], undefined> {
  const encoded: PodSandboxMetrics[] = [];
  for (const pod of pods) {
    encoded.push(encodePodMetrics(pod));
    yield;
  }
  return encoded;
}

/** The metrics RPCs of RuntimeService. */
export function metricsRpcs({ sandboxes, usage }: MetricsRpcDeps) {
  const list = (): Promise<readonly SandboxUsage[]> =>
    usage.sandboxes(sandboxes.listSandboxes({ state: "ready" }), "details");
  return {
    ListMetricDescriptors: () => ({ descriptors: [...metricDescriptors] }),
    ListPodSandboxMetrics: async () => ({ pod_metrics: await runSliced(encodeAll(await list())) }),
    async *StreamPodSandboxMetrics() {
      for (const batch of batches(await list(), podsOfMessage))
        yield { pod_sandbox_metrics: batch.map(encodePodMetrics) };
    },
  } satisfies Rpcs<
    RuntimeServiceHandlers,
    "ListMetricDescriptors" | "ListPodSandboxMetrics" | "StreamPodSandboxMetrics"
  >;
}

import type { Metric } from "../generated/runtime/v1/Metric.ts";
import type { MetricDescriptor } from "../generated/runtime/v1/MetricDescriptor.ts";
import type { PodSandboxMetrics } from "../generated/runtime/v1/PodSandboxMetrics.ts";
import { cpuAndMemoryMetrics, limitMetrics } from "./cpu-memory-metrics.ts";
import { commonLabels, type MeteredContainer, type MeteredPod, type MetricFamily } from "./metric-family.ts";
import { diskMetrics, networkMetrics, processMetrics } from "./process-disk-metrics.ts";
import { encodeTimestamp } from "./timestamps.ts";

/** Metrics of containers, and those of pods as wholes. */
export const containerFamilies: readonly MetricFamily<MeteredContainer>[] = [
  ...cpuAndMemoryMetrics,
  ...limitMetrics,
  ...processMetrics,
  ...diskMetrics,
];
export const podFamilies: readonly MetricFamily<MeteredPod>[] = networkMetrics;

/** What every metric of {@link encodePodMetrics} is; always the same. */
export const metricDescriptors: readonly MetricDescriptor[] = [...containerFamilies, ...podFamilies]
  .map(({ name, help, labels }) => ({ name, help, label_keys: [...commonLabels, ...labels] }))
  .sort((a, b) => (a.name < b.name ? -1 : 1));

/** A pod's metrics, and those of its containers that run. */
export function encodePodMetrics(pod: MeteredPod): PodSandboxMetrics {
  const { record } = pod;
  const { name, namespace } = record.spec.metadata;
  return {
    pod_sandbox_id: record.id,
    metrics: encodeFamilies(podFamilies, pod, [name, namespace, "", record.id, ""], pod.linksAtMs),
    container_metrics: meteredContainers(pod).map((container) => ({
      container_id: container.record.id,
      metrics: encodeFamilies(
        containerFamilies,
        container,
        containerLabels(pod, container),
        container.reading.usage.atMs,
      ),
    })),
  };
}

/** The containers of a pod that have metrics. */
export function meteredContainers({ containers }: MeteredPod): readonly MeteredContainer[] {
  return containers.filter((container): container is MeteredContainer => container.reading !== undefined);
}

/** Values of {@link commonLabels}. */
export function containerLabels({ record: sandbox }: MeteredPod, { record }: MeteredContainer): readonly string[] {
  const { name, namespace } = sandbox.spec.metadata;
  return [name, namespace, record.spec.metadata.name, record.id, record.spec.userSpecifiedImage || record.spec.image];
}

function encodeFamilies<Subject>(
  families: readonly MetricFamily<Subject>[],
  subject: Subject,
  common: readonly string[],
  atMs: number,
): Metric[] {
  const timestamp = encodeTimestamp(atMs);
  return families.flatMap(({ name, type, samples }) =>
    samples(subject).map(({ value, labels = [] }) => ({
      name,
      timestamp,
      metric_type: type,
      label_values: [...common, ...labels],
      value: { value: String(value) },
    })),
  );
}

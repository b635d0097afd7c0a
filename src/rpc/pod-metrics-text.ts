import type { SandboxUsage } from "../sandbox/usage-service.ts";
import { containerFamilies, containerLabels, meteredContainers, podFamilies } from "./encode-metrics.ts";
import { commonLabels, type MetricFamily } from "./metric-family.ts";
import type { TextFamily } from "./prometheus-text.ts";

/** The metrics of pods and containers as Prometheus asks for them: what kubelet would make of ListPodSandboxMetrics. */
export function podMetricsText(pods: readonly SandboxUsage[]): readonly TextFamily[] {
  const containers = pods.flatMap((pod) =>
    meteredContainers(pod).map((subject) => ({ subject, common: containerLabels(pod, subject) })),
  );
  const sandboxes = pods.map((subject) => {
    const { name, namespace } = subject.record.spec.metadata;
    return { subject, common: [name, namespace, "", subject.record.id, ""] };
  });
  return [
    ...containerFamilies.map((family) => textFamily(family, containers)),
    ...podFamilies.map((family) => textFamily(family, sandboxes)),
  ];
}

function textFamily<Subject>(
  { name, help, type, labels: keys, samples }: MetricFamily<Subject>,
  subjects: readonly { readonly subject: Subject; readonly common: readonly string[] }[],
): TextFamily {
  const allKeys = [...commonLabels, ...keys];
  return {
    name,
    help,
    type: type === "COUNTER" ? "counter" : "gauge",
    samples: subjects.flatMap(({ subject, common }) =>
      samples(subject).map(({ value, labels = [] }) => ({
        labels: Object.fromEntries([...common, ...labels].map((text, index) => [allKeys[index] ?? "", text])),
        value,
      })),
    ),
  };
}

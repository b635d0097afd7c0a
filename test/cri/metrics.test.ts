import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { execOutput, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

/** The names critest asks for, without "container_". */
const names = [
  "blkio_device_usage_total",
  ...[
    "cfs_periods",
    "cfs_throttled_periods",
    "cfs_throttled_seconds",
    "system_seconds",
    "usage_seconds",
    "user_seconds",
  ].map((name) => `cpu_${name}_total`),
  "file_descriptors",
  ...[
    "inodes_free",
    "inodes_total",
    "limit_bytes",
    "reads_bytes_total",
    "reads_total",
    "usage_bytes",
    "writes_bytes_total",
    "writes_total",
  ].map((name) => `fs_${name}`),
  "hugetlb_max_usage_bytes",
  "hugetlb_usage_bytes",
  "last_seen",
  ...[
    "cache",
    "failcnt",
    "failures_total",
    "kernel_usage",
    "mapped_file",
    "max_usage_bytes",
    "rss",
    "swap",
    "usage_bytes",
    "working_set_bytes",
  ].map((name) => `memory_${name}`),
  ...["receive", "transmit"].flatMap((way) =>
    ["bytes", "errors", "packets_dropped", "packets"].map((what) => `network_${way}_${what}_total`),
  ),
  "oom_events_total",
  ...["cpu", "io", "memory"].flatMap((what) =>
    ["stalled", "waiting"].map((how) => `pressure_${what}_${how}_seconds_total`),
  ),
  "processes",
  "sockets",
  ...[
    "cpu_period",
    "cpu_quota",
    "cpu_shares",
    "memory_limit_bytes",
    "memory_reservation_limit_bytes",
    "memory_swap_limit_bytes",
  ].map((name) => `spec_${name}`),
  "start_time_seconds",
  "threads",
  "threads_max",
  "ulimits_soft",
].map((name) => `container_${name}`);
/** What critest does without where the kernel has none. */
const optional = /hugetlb|pressure|spec_cpu_quota|spec_memory_reservation_limit_bytes|ulimits_soft/;

interface Descriptor {
  readonly name: string;
  readonly help: string;
  readonly labelKeys: readonly string[];
}
interface Metric {
  readonly name: string;
  readonly timestamp: string;
  readonly metricType: string;
  readonly labelValues: readonly string[];
  readonly value: { readonly value: string };
}
interface PodMetrics {
  readonly podSandboxId: string;
  readonly metrics: readonly Metric[];
  readonly containerMetrics: readonly { readonly containerId: string; readonly metrics: readonly Metric[] }[];
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("metrics", () => {
  const world = useWorld();

  const descriptors = async () =>
    (JSON.parse(await world().crictl.run("metricdescs")) as { descriptors: Descriptor[] }).descriptors;
  const metricsOf = async (podId: string) => {
    const { podMetrics } = JSON.parse(await world().crictl.run("metricsp")) as { podMetrics: PodMetrics[] };
    const pod = podMetrics.find(({ podSandboxId }) => podSandboxId === podId);
    if (pod === undefined) throw new Error(`No metrics of ${podId}`);
    return pod;
  };

  test("crictl metricdescs lists cAdvisor's names with containerd's labels", async () => {
    const listed = await descriptors();
    expect(listed.map(({ name }) => name)).toEqual([...names].sort());
    expect(listed).toHaveLength(56);
    expect(listed.every(({ help }) => help !== "")).toBe(true);
    const common = ["pod", "namespace", "container", "id", "image"];
    const labels = Object.fromEntries(listed.map(({ name, labelKeys }) => [name, labelKeys]));
    expect(labels).toMatchObject({
      container_cpu_usage_seconds_total: common,
      container_network_receive_bytes_total: [...common, "interface"],
      container_fs_usage_bytes: [...common, "device"],
      container_blkio_device_usage_total: [...common, "device", "major", "minor", "operation"],
      container_memory_failures_total: [...common, "failure_type", "scope"],
      container_ulimits_soft: [...common, "ulimit"],
    });
  });

  test("crictl metricsp gives a running pod a value of each that the kernel counts, labelled as described", async () => {
    const resources = {
      memory_limit_in_bytes: String(64 << 20),
      cpu_quota: "50000",
      cpu_period: "100000",
      cpu_shares: "512",
    };
    const script = "nc -l -p 80 & exec 3>/root/file; dd if=/dev/zero bs=1M count=2 >&3; wait";
    const container = { linux: { resources } };
    const running = await runContainer(world(), ["/bin/sh", "-c", script], { container });
    await execOutput(
      world(),
      running.containerId,
      "sh",
      "-c",
      "ping -c 1 $(ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p') || true",
    );
    const ended = await runContainer(world(), ["/bin/sh", "-c", "exit 0"]);
    await eventually(
      "its socket and its file",
      async () => {
        const { containerMetrics } = await metricsOf(running.podId);
        const value = (name: string) =>
          Number(containerMetrics[0]?.metrics.find((metric) => metric.name === `container_${name}`)?.value.value);
        return value("sockets") >= 1 && value("fs_usage_bytes") >= 2 << 20;
      },
      40_000,
    );

    const pod = await metricsOf(running.podId);
    expect(pod.containerMetrics.map(({ containerId }) => containerId)).toEqual([running.containerId]);
    const metrics = [...pod.metrics, ...(pod.containerMetrics[0]?.metrics ?? [])];
    const listed = await descriptors();
    const missing = listed
      .filter(({ name }) => !metrics.some((metric) => metric.name === name))
      .map(({ name }) => name);
    expect(missing.filter((name) => !optional.test(name))).toEqual([]);
    const keys = new Map(listed.map(({ name, labelKeys }) => [name, labelKeys]));
    expect(metrics.filter(({ name, labelValues }) => labelValues.length !== keys.get(name)?.length)).toEqual([]);
    const counts = /(?<!inodes)_total$|failcnt$/;
    expect(metrics.filter(({ metricType, name }) => (metricType === "COUNTER") !== counts.test(name))).toEqual([]);

    const value = (name: string) => Number(metrics.find((metric) => metric.name === `container_${name}`)?.value.value);
    expect(value("processes")).toBe(2);
    expect(value("spec_memory_limit_bytes")).toBe(64 << 20);
    expect([value("spec_cpu_quota"), value("spec_cpu_period"), value("spec_cpu_shares")]).toEqual([
      50_000, 100_000, 512,
    ]);
    expect(value("file_descriptors")).toBeGreaterThanOrEqual(6);
    expect(value("network_transmit_packets_total")).toBeGreaterThan(0);
    expect(value("memory_working_set_bytes")).toBeGreaterThan(0);
    expect(value("fs_limit_bytes")).toBeGreaterThan(0);
    expect(Math.abs(value("start_time_seconds") - Date.now() / 1000)).toBeLessThan(600);
    const { name, namespace } = running.pod.metadata ?? {};
    expect(pod.metrics[0]?.labelValues).toEqual([name, namespace, "", running.podId, "", "eth0"]);
    expect(pod.containerMetrics[0]?.metrics[0]?.labelValues).toEqual([
      name,
      namespace,
      "main",
      running.containerId,
      world().busybox.reference,
    ]);

    expect((await metricsOf(ended.podId)).containerMetrics.flatMap(({ metrics: own }) => own)).toEqual([]);
    const streamed: string[] = [];
    for await (const { pod_sandbox_metrics } of await world().client.stream("StreamPodSandboxMetrics", {})) {
      streamed.push(...pod_sandbox_metrics.map(({ pod_sandbox_id }) => pod_sandbox_id));
    }
    expect(streamed).toEqual([running.podId, ended.podId]);
  });
});

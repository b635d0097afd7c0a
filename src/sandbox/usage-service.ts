import type { Log } from "../common/log.ts";
import type { CgroupUsage } from "../runtime/cgroup-usage.ts";
import type { GroupQuestion, GroupReading } from "../runtime/read-group.ts";
import type { UsageReader } from "../runtime/usage-reader.ts";
import type { Reading, UsageReadings } from "../runtime/usage-worker-main.ts";
import type { ContainerRecord } from "./container-record.ts";
import { CpuRates } from "./cpu-rates.ts";
import { containerPaths, type HostLayout, sandboxPaths } from "./host-paths.ts";
import { planContainerGroup, planPodGroup } from "./plan-usage.ts";
import { shownContainers } from "./publish-changes.ts";
import type { ContainerStore, SandboxStore } from "./record-stores.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import { addUsage } from "./usage-sum.ts";
import { type LayerUsage, WritableLayers } from "./writable-layers.ts";

export interface UsageServiceDeps {
  readonly layout: HostLayout;
  readonly sandboxes: SandboxStore;
  readonly containers: ContainerStore;
  readonly reader: Pick<UsageReader, "read" | "measure">;
  readonly log: Log;
}

/** What a container takes. */
export interface ContainerUsage {
  readonly record: ContainerRecord;
  /** undefined: it doesn't run, or its control group can't be read. */
  readonly reading: GroupReading | undefined;
  /** CPU nanoseconds a second; undefined until two readings exist. */
  readonly nanoCores: bigint | undefined;
  readonly layer: LayerUsage | undefined;
  /** A path on the file system of its writable layer. */
  readonly layerMountpoint: string;
}

/** What a pod takes, its containers included. */
export interface SandboxUsage {
  readonly record: SandboxRecord;
  readonly usage: CgroupUsage | undefined;
  readonly nanoCores: bigint | undefined;
  /** Links of its network namespace; undefined: it has none of its own, or it can't be read. */
  readonly links: UsageLinks | undefined;
  /** When the links were read: milliseconds since the epoch. */
  readonly linksAtMs: number;
  readonly containers: readonly ContainerUsage[];
}

export type UsageLinks = Extract<UsageReadings["links"][number], { readonly value: unknown }>["value"];

/** How long somebody waits for the first measurement of a writable layer; later ones nobody waits for. */
const layerPatienceMs = 200;
const sampleIntervalMs = 10_000;

/**
 * Tells what pods and containers take: figures are read when they are asked for, from files of the kernel, with no process
 * started and no shim asked. What can't be read of one pod or container is missing there and leaves the others whole.
 */
export class UsageService implements Disposable {
  readonly #deps: UsageServiceDeps;
  readonly #rates = new CpuRates();
  readonly #layers: WritableLayers;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: UsageServiceDeps) {
    this.#deps = deps;
    this.#layers = new WritableLayers((directory) => deps.reader.measure(directory), deps.log);
  }

  /** Begins to sample in the background: CPU rates and writable layers are known then when somebody asks. */
  start(): void {
    // The thread takes a moment to come up; nobody has to wait for it then.
    this.#deps.reader.read([]).catch((error: unknown) => this.#deps.log.warn({ error }, "usage can't be read"));
    this.#timer = setInterval(() => {
      this.#sample().catch((error: unknown) => this.#deps.log.warn({ error }, "usage can't be sampled"));
    }, sampleIntervalMs);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** @param detail "details": what metrics need beyond the figures of stats */
  async containers(
    records: readonly ContainerRecord[],
    detail: "usage" | "details" = "usage",
  ): Promise<readonly ContainerUsage[]> {
    const questions = records.map((record) => this.#containerQuestion(record, detail, detail === "details"));
    const [readings] = await Promise.all([this.#read(questions, []), this.#refreshLayers(records)]);
    return records.map((record, index) => this.#containerUsage(record, readings.groups[index]));
  }

  async sandboxes(
    records: readonly SandboxRecord[],
    detail: "usage" | "details" = "usage",
  ): Promise<readonly SandboxUsage[]> {
    const { layout, sandboxes, containers } = this.#deps;
    const all = sandboxes.list();
    const pods = records.map((record) => ({
      record,
      plan: planPodGroup(layout, record, all, "usage"),
      containers: shownContainers(containers, record.id),
    }));
    const members = pods.flatMap((pod) => pod.containers);
    const summed = new Set(pods.flatMap(({ record, plan }) => (plan.kind === "sum" ? [record.id] : [])));
    const questions = [
      ...pods.map(({ plan }) => (plan.kind === "own" ? plan.group : plan.holder)),
      ...members.map((record) =>
        this.#containerQuestion(record, detail, detail === "details" || summed.has(record.sandboxId)),
      ),
    ];
    const netns = records.map((record) => this.#netnsPath(record));
    const [readings] = await Promise.all([this.#read(questions, netns), this.#refreshLayers(members)]);
    const atMs = Date.now();
    const usages = members.map((record, index) => this.#containerUsage(record, readings.groups[pods.length + index]));
    return pods.map(({ record, plan }, index): SandboxUsage => {
      const own = usages.filter((usage) => usage.record.sandboxId === record.id);
      const reading = readings.groups[index]?.usage;
      const parts = [reading, ...own.map((usage) => usage.reading?.usage)].filter((usage) => usage !== undefined);
      const usage = plan.kind === "own" ? reading : addUsage(parts);
      const links = readings.links[index];
      return { record, usage, nanoCores: this.#rate(record.id, usage), links, linksAtMs: atMs, containers: own };
    });
  }

  #containerUsage(record: ContainerRecord, reading: GroupReading | undefined): ContainerUsage {
    return {
      record,
      reading,
      nanoCores: this.#rate(record.id, reading?.usage),
      layer: this.#layers.get(record.id),
      layerMountpoint: this.#deps.layout.root,
    };
  }

  #rate(key: string, usage: CgroupUsage | undefined): bigint | undefined {
    return usage?.cpuUsageNs === undefined ? undefined : this.#rates.take(key, usage.cpuUsageNs, usage.atMs);
  }

  #containerQuestion(
    record: ContainerRecord,
    detail: GroupQuestion["detail"],
    countProcesses: boolean,
  ): GroupQuestion | undefined {
    const sandbox = this.#deps.sandboxes.find(record.sandboxId);
    return sandbox && planContainerGroup(this.#deps.layout, record, sandbox, detail, countProcesses);
  }

  #netnsPath({ id, network, spec }: SandboxRecord): string | undefined {
    if (network === undefined || spec.namespaces.network === "node") return undefined;
    return sandboxPaths(this.#deps.layout, id, spec.cgroupParent).namespaces.net;
  }

  #refreshLayers(records: readonly ContainerRecord[]): Promise<void> {
    const layers = records.map(({ id }) => ({
      containerId: id,
      directory: containerPaths(this.#deps.layout, id, "").upper,
    }));
    return this.#layers.refresh(layers, layerPatienceMs);
  }

  /** Asks for what there is to ask, and gives the answers the places of the questions. */
  async #read(questions: readonly (GroupQuestion | undefined)[], netns: readonly (string | undefined)[]) {
    const groups = questions.filter((question) => question !== undefined);
    const pins = netns.filter((path) => path !== undefined);
    const answer =
      groups.length + pins.length === 0 ? { groups: [], links: [] } : await this.#deps.reader.read(groups, pins);
    const [groupAnswers, linkAnswers] = [answer.groups.values(), answer.links.values()];
    return {
      groups: questions.map((question) => this.#valueOf(question?.path, groupAnswers)),
      links: netns.map((path) => this.#valueOf(path, linkAnswers)),
    };
  }

  #valueOf<Value>(path: string | undefined, answers: Iterator<Reading<Value>>): Value | undefined {
    if (path === undefined) return undefined;
    const { value: reading } = answers.next();
    if (reading === undefined || "value" in reading) return reading?.value;
    this.#deps.log.debug({ path, error: reading.error }, "usage can't be read");
    return undefined;
  }

  async #sample(): Promise<void> {
    const { layout, sandboxes, containers } = this.#deps;
    const pods = sandboxes.list().filter(({ state }) => state === "ready");
    const members = containers.list().filter(({ state }) => state.kind === "running");
    const all = new Set<string>([...sandboxes.list(), ...containers.list()].map(({ id }) => id));
    this.#rates.retain(all);
    this.#layers.retain(all);
    if (members.length === 0) return;
    const plans = pods.map((record) => planPodGroup(layout, record, pods, "cpu"));
    const { groups } = await this.#read(
      [
        ...plans.map((plan) => (plan.kind === "own" ? plan.group : undefined)),
        ...members.map((record) => this.#containerQuestion(record, "cpu", false)),
      ],
      [],
    );
    for (const [index, { id }] of [...pods, ...members].entries()) this.#rate(id, groups[index]?.usage);
    await this.#refreshLayers(members);
  }
}

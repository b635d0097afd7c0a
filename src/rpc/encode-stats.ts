import type { ContainerStats } from "../generated/runtime/v1/ContainerStats.ts";
import type { CpuUsage } from "../generated/runtime/v1/CpuUsage.ts";
import type { FilesystemUsage } from "../generated/runtime/v1/FilesystemUsage.ts";
import type { IoUsage } from "../generated/runtime/v1/IoUsage.ts";
import type { MemoryUsage } from "../generated/runtime/v1/MemoryUsage.ts";
import type { NetworkUsage } from "../generated/runtime/v1/NetworkUsage.ts";
import type { PodSandboxStats } from "../generated/runtime/v1/PodSandboxStats.ts";
import type { PsiStats } from "../generated/runtime/v1/PsiStats.ts";
import type { SwapUsage } from "../generated/runtime/v1/SwapUsage.ts";
import type { ContainerUsage, SandboxUsage } from "../sandbox/usage-service.ts";
import { encodeTimestamp } from "./timestamps.ts";

type GroupUsage = NonNullable<SandboxUsage["usage"]>;
type Pressure = NonNullable<NonNullable<GroupUsage["pressure"]>["cpu"]>;

/** A container's figures; lists, streams and pods' statistics share it. What isn't known is unset, never 0. */
export function encodeContainerStats({
  record,
  reading,
  nanoCores,
  layer,
  layerMountpoint,
}: ContainerUsage): ContainerStats {
  const { metadata, labels, annotations } = record.spec;
  return {
    attributes: { id: record.id, metadata, labels, annotations },
    ...encodeGroup(reading?.usage, nanoCores),
    ...(layer === undefined ? {} : { writable_layer: encodeLayer(layer, layerMountpoint) }),
  };
}

/** A pod's figures with those of its containers. */
export function encodeSandboxStats({
  record,
  usage,
  nanoCores,
  links,
  linksAtMs,
  containers,
}: SandboxUsage): PodSandboxStats {
  const { metadata, labels, annotations } = record.spec;
  const { swap, ...group } = encodeGroup(usage, nanoCores);
  return {
    attributes: { id: record.id, metadata, labels, annotations },
    linux: {
      ...group,
      ...(links === undefined ? {} : { network: encodeNetwork(links, linksAtMs) }),
      ...(usage?.processCount === undefined
        ? {}
        : { process: { timestamp: encodeTimestamp(usage.atMs), process_count: { value: usage.processCount } } }),
      containers: containers.map(encodeContainerStats),
    },
  };
}

interface EncodedGroup {
  readonly cpu?: CpuUsage;
  readonly memory?: MemoryUsage;
  readonly swap?: SwapUsage;
  readonly io?: IoUsage;
}

function encodeGroup(usage: GroupUsage | undefined, nanoCores: bigint | undefined): EncodedGroup {
  if (usage === undefined) return {};
  const timestamp = encodeTimestamp(usage.atMs);
  const io = usage.pressure?.io;
  return {
    ...(usage.cpuUsageNs === undefined ? {} : { cpu: encodeCpu(timestamp, usage, nanoCores) }),
    ...(usage.memory === undefined ? {} : { memory: encodeMemory(timestamp, usage) }),
    ...(usage.swap === undefined ? {} : { swap: encodeSwap(timestamp, usage.swap) }),
    ...(io === undefined ? {} : { io: { timestamp, psi: encodePressure(io) } }),
  };
}

function encodeCpu(timestamp: string, { cpuUsageNs, pressure }: GroupUsage, nanoCores: bigint | undefined): CpuUsage {
  return {
    timestamp,
    usage_core_nano_seconds: { value: String(cpuUsageNs) },
    // 0 would say that it rests.
    ...(nanoCores === undefined ? {} : { usage_nano_cores: { value: String(nanoCores) } }),
    ...(pressure?.cpu === undefined ? {} : { psi: encodePressure(pressure.cpu) }),
  };
}

function encodeMemory(timestamp: string, { memory, pressure }: GroupUsage): MemoryUsage {
  if (memory === undefined) return { timestamp };
  const { limitBytes, workingSetBytes } = memory;
  return {
    timestamp,
    working_set_bytes: { value: workingSetBytes },
    // Without a limit there is no end to it.
    ...(limitBytes === undefined ? {} : { available_bytes: { value: Math.max(0, limitBytes - workingSetBytes) } }),
    usage_bytes: { value: memory.usageBytes },
    rss_bytes: { value: memory.rssBytes },
    page_faults: { value: memory.pageFaults },
    major_page_faults: { value: memory.majorPageFaults },
    ...(pressure?.memory === undefined ? {} : { psi: encodePressure(pressure.memory) }),
  };
}

function encodeSwap(timestamp: string, { usageBytes, limitBytes }: NonNullable<GroupUsage["swap"]>): SwapUsage {
  return {
    timestamp,
    swap_usage_bytes: { value: usageBytes },
    ...(limitBytes === undefined ? {} : { swap_available_bytes: { value: Math.max(0, limitBytes - usageBytes) } }),
  };
}

function encodePressure({ some, full }: Pressure): PsiStats {
  const line = ({ totalMicros, avg10, avg60, avg300 }: Pressure["some"]) => ({
    Total: String(BigInt(totalMicros) * 1000n),
    Avg10: avg10,
    Avg60: avg60,
    Avg300: avg300,
  });
  return { Full: line(full), Some: line(some) };
}

function encodeLayer(layer: NonNullable<ContainerUsage["layer"]>, mountpoint: string): FilesystemUsage {
  return {
    timestamp: encodeTimestamp(layer.measuredAtMs),
    fs_id: { mountpoint },
    used_bytes: { value: layer.usedBytes },
    inodes_used: { value: layer.inodes },
  };
}

/** Loopback is no network that anybody pays for. */
function encodeNetwork(links: NonNullable<SandboxUsage["links"]>, atMs: number): NetworkUsage {
  const interfaces = links
    .filter(({ name }) => name !== "lo")
    .map(({ name, received, sent }) => ({
      name,
      rx_bytes: { value: received.bytes },
      rx_errors: { value: received.errors },
      tx_bytes: { value: sent.bytes },
      tx_errors: { value: sent.errors },
    }));
  const first = interfaces.find(({ name }) => name === "eth0") ?? interfaces[0];
  return {
    timestamp: encodeTimestamp(atMs),
    ...(first === undefined ? {} : { default_interface: first }),
    interfaces,
  };
}

import { labelled, type MeteredContainer, type MeteredPod, type MetricFamily, plain } from "./metric-family.ts";

/** The kernel's RLIM_INFINITY, since the contract has no negative numbers. */
const noLimit = 2n ** 64n - 1n;
/** The container's own root file system, as containerd names it. */
const rootDevice = "/";

/** Processes and life of containers. */
export const processMetrics: readonly MetricFamily<MeteredContainer>[] = [
  plain("GAUGE", "processes", "Processes that run.", ({ reading }) => reading.usage.processCount),
  plain("GAUGE", "threads", "Threads that run.", ({ reading }) => reading.details?.threadCount),
  plain(
    "GAUGE",
    "threads_max",
    "Threads that may run; 0: no limit.",
    ({ reading }) => reading.details?.threadLimit ?? 0,
  ),
  plain("GAUGE", "file_descriptors", "Open file descriptors.", ({ reading }) => reading.processes?.fileDescriptors),
  plain("GAUGE", "sockets", "Open sockets.", ({ reading }) => reading.processes?.sockets),
  labelled("GAUGE", "ulimits_soft", "Soft limits of the first process.", ["ulimit"], ({ reading }) =>
    [...(reading.processes?.softLimits ?? [])].map(([name, value]) => ({
      labels: [name],
      value: value < 0 ? noLimit : value,
    })),
  ),
  plain("GAUGE", "last_seen", "When the container was last read, in seconds since 1970.", ({ reading }) =>
    Math.floor(reading.usage.atMs / 1000),
  ),
  plain("GAUGE", "start_time_seconds", "When the container was started, in seconds since 1970.", ({ record }) =>
    record.state.kind === "running" ? Math.floor(record.state.startedAtMs / 1000) : undefined,
  ),
];

type Device = NonNullable<MeteredContainer["reading"]["details"]>["io"][number];
const idle = { readBytes: 0, writtenBytes: 0, reads: 0, writes: 0 };

function perDevice(name: string, help: string, of: (device: typeof idle) => number): MetricFamily<MeteredContainer> {
  return labelled("COUNTER", name, help, ["device"], ({ reading }) => {
    const devices = reading.details?.io ?? [];
    // What never touched a block device has not read nothing from nowhere, but nothing from its own file system.
    if (devices.length === 0) return [{ labels: [rootDevice], value: of(idle) }];
    return devices.map((device) => ({ labels: [deviceName(device)], value: of(device) }));
  });
}

function perDisk(
  name: string,
  help: string,
  of: (container: MeteredContainer) => number | undefined,
): MetricFamily<MeteredContainer> {
  return labelled("GAUGE", name, help, ["device"], (container) => {
    const value = of(container);
    return value === undefined ? [] : [{ labels: [rootDevice], value }];
  });
}

/** What containers read, write and keep on disks. */
export const diskMetrics: readonly MetricFamily<MeteredContainer>[] = [
  perDevice("fs_reads_total", "Reads from block devices.", ({ reads }) => reads),
  perDevice("fs_reads_bytes_total", "Bytes read from block devices.", ({ readBytes }) => readBytes),
  perDevice("fs_writes_total", "Writes to block devices.", ({ writes }) => writes),
  perDevice("fs_writes_bytes_total", "Bytes written to block devices.", ({ writtenBytes }) => writtenBytes),
  labelled(
    "COUNTER",
    "blkio_device_usage_total",
    "Bytes read from and written to block devices.",
    ["device", "major", "minor", "operation"],
    ({ reading }) => {
      const devices = reading.details?.io ?? [];
      if (devices.length === 0) return transfers(rootDevice, { major: 0, minor: 0, ...idle });
      return devices.flatMap((device) => transfers(deviceName(device), device));
    },
  ),
  perDisk("fs_usage_bytes", "Bytes its writable layer takes.", ({ layer }) => layer?.usedBytes ?? 0),
  perDisk("fs_limit_bytes", "Bytes its file system has.", ({ reading }) => reading.disk?.totalBytes),
  perDisk("fs_inodes_total", "Inodes its file system has.", ({ reading }) => reading.disk?.totalInodes),
  perDisk("fs_inodes_free", "Inodes its file system has left.", ({ reading }) => reading.disk?.freeInodes),
];

function transfers(name: string, { major, minor, readBytes, writtenBytes }: Device) {
  const at = [name, String(major), String(minor)];
  return [
    { labels: [...at, "Read"], value: readBytes },
    { labels: [...at, "Write"], value: writtenBytes },
  ];
}

/** Numbers say which device it is wherever one looks; names of loop devices change from pod to pod. */
function deviceName({ major, minor }: Device): string {
  return `${major}:${minor}`;
}

type Traffic = NonNullable<MeteredPod["links"]>[number]["received"];

function perLink(
  direction: "receive" | "transmit",
  what: string,
  help: string,
  of: (traffic: Traffic) => number,
): MetricFamily<MeteredPod> {
  return labelled("COUNTER", `network_${direction}_${what}_total`, help, ["interface"], ({ links = [] }) =>
    links
      .filter(({ name }) => name !== "lo")
      .map(({ name, received, sent }) => ({ labels: [name], value: of(direction === "receive" ? received : sent) })),
  );
}

/** Traffic of pods with a network of their own; of others it is the host's. */
export const networkMetrics: readonly MetricFamily<MeteredPod>[] = [
  perLink("receive", "bytes", "Bytes received.", ({ bytes }) => bytes),
  perLink("receive", "packets", "Packets received.", ({ packets }) => packets),
  perLink("receive", "packets_dropped", "Packets dropped on the way in.", ({ dropped }) => dropped),
  perLink("receive", "errors", "Errors while receiving.", ({ errors }) => errors),
  perLink("transmit", "bytes", "Bytes sent.", ({ bytes }) => bytes),
  perLink("transmit", "packets", "Packets sent.", ({ packets }) => packets),
  perLink("transmit", "packets_dropped", "Packets dropped on the way out.", ({ dropped }) => dropped),
  perLink("transmit", "errors", "Errors while sending.", ({ errors }) => errors),
];

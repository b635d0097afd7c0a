import { readdirSync, statfsSync } from "node:fs";
import { errnoOf } from "../common/errors.ts";
import { type CgroupLayout, cgroupDirectory, childGroups, readIfThere } from "../system/cgroup.ts";
import { wallClockMs } from "../system/wall-clock.ts";
import type { CgroupDetails, CgroupUsage, ReadCgroupFile } from "./cgroup-usage.ts";
import { readV1Details, readV1Usage } from "./cgroup-v1-usage.ts";
import { readV2Details, readV2Usage } from "./cgroup-v2-usage.ts";
import { type ProcessUsage, readProcessUsage } from "./process-usage.ts";

/** Which figures of a control group are wanted. */
export interface GroupQuestion {
  /** As in a spec's `cgroupsPath`. */
  readonly path: string;
  /** "cpu": the CPU time alone, which is one small file. */
  readonly detail: "cpu" | "usage" | "details";
  readonly countProcesses?: boolean;
  /** With "details": the container's first process, and a directory on the file system of its writable layer. */
  readonly firstPid?: number;
  readonly diskDirectory?: string;
}

export interface GroupReading {
  readonly usage: CgroupUsage;
  readonly details: CgroupDetails | undefined;
  readonly processes: ProcessUsage | undefined;
  readonly disk: DiskCapacity | undefined;
}

export interface DiskCapacity {
  readonly totalBytes: number;
  readonly totalInodes: number;
  readonly freeInodes: number;
}

/** Reads one group now. @returns undefined when there is no such group @throws SystemError */
export function readGroup(
  layout: CgroupLayout,
  question: GroupQuestion,
  hugepageSizes: readonly string[],
): GroupReading | undefined {
  const read: ReadCgroupFile = (controller, file) => {
    const directory = cgroupDirectory(layout, question.path, controller);
    return directory === undefined ? undefined : readIfThere(`${directory}/${file}`);
  };
  const atMs = wallClockMs();
  const figures = question.detail === "cpu" ? readCpu(layout, read) : readUsage(layout, read);
  if (figures.cpuUsageNs === undefined && figures.memory === undefined) return undefined;
  const wantsPids = question.countProcesses === true || question.firstPid !== undefined;
  const pids = wantsPids ? pidsBelow(cgroupDirectory(layout, question.path, "memory")) : undefined;
  return {
    usage: { ...figures, atMs, processCount: question.countProcesses ? pids?.length : undefined },
    ...readMore(layout, read, question, pids ?? [], hugepageSizes),
  };
}

function readMore(
  layout: CgroupLayout,
  read: ReadCgroupFile,
  { detail, firstPid, diskDirectory }: GroupQuestion,
  pids: readonly number[],
  hugepageSizes: readonly string[],
): Omit<GroupReading, "usage"> {
  if (detail !== "details") return { details: undefined, processes: undefined, disk: undefined };
  return {
    details: layout.kind === "v2" ? readV2Details(read, hugepageSizes) : readV1Details(read, hugepageSizes),
    processes: firstPid === undefined ? undefined : readProcessUsage(pids, firstPid),
    disk: diskDirectory === undefined ? undefined : readDisk(diskDirectory),
  };
}

type Figures = Omit<CgroupUsage, "atMs" | "processCount">;

function readUsage(layout: CgroupLayout, read: ReadCgroupFile): Figures {
  return layout.kind === "v2" ? readV2Usage(read) : { ...readV1Usage(read), pressure: undefined };
}

function readCpu(layout: CgroupLayout, read: ReadCgroupFile): Figures {
  const rest = { memory: undefined, swap: undefined, pressure: undefined };
  if (layout.kind === "v1") {
    const usage = read("cpuacct", "cpuacct.usage");
    return { cpuUsageNs: usage === undefined ? undefined : BigInt(usage.trim()), ...rest };
  }
  const micros = /^usage_usec (\d+)$/m.exec(read("cpu", "cpu.stat") ?? "")?.[1];
  return { cpuUsageNs: micros === undefined ? undefined : BigInt(micros) * 1000n, ...rest };
}

function pidsBelow(directory: string | undefined): readonly number[] {
  if (directory === undefined) return [];
  const own = (readIfThere(`${directory}/cgroup.procs`) ?? "").split("\n").filter((line) => line !== "");
  return [...own.map(Number), ...childGroups(directory).flatMap((name) => pidsBelow(`${directory}/${name}`))];
}

function readDisk(directory: string): DiskCapacity | undefined {
  try {
    const { blocks, bsize, files, ffree } = statfsSync(directory);
    return { totalBytes: blocks * bsize, totalInodes: files, freeInodes: ffree };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Sizes of huge pages the kernel has, as the controller's files spell them, such as "2MB". */
export function listHugepageSizes(directory = "/sys/kernel/mm/hugepages"): readonly string[] {
  try {
    return readdirSync(directory).flatMap((name) => {
      const kilobytes = Number(/^hugepages-(\d+)kB$/.exec(name)?.[1] ?? 0);
      if (kilobytes === 0) return [];
      if (kilobytes >= 1024 * 1024) return [`${kilobytes / 1024 / 1024}GB`];
      return [kilobytes >= 1024 ? `${kilobytes / 1024}MB` : `${kilobytes}KB`];
    });
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

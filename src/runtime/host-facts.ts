import { existsSync, readFileSync } from "node:fs";
import { release } from "node:os";
import { type CgroupLayout, detectCgroups, supportsSwapLimit } from "../system/cgroup.ts";
import { hasApparmor } from "./apparmor.ts";
import { parseCapabilityMask } from "./capability-names.ts";
import { readSelinuxContexts } from "./selinux-host.ts";
import type { SelinuxContexts } from "./selinux-label.ts";

/** What this host lets the agent give to containers; read once, for none of it changes while the agent runs. */
export interface HostFacts {
  readonly cgroupVersion: 1 | 2;
  /** Names such as "memory" and "hugetlb". */
  readonly cgroupControllers: ReadonlySet<string>;
  /** Whether a limit on memory and swap together can be set. */
  readonly swapLimitSupported: boolean;
  /** Capabilities the agent holds and so can pass on, such as "CAP_CHOWN". */
  readonly capabilities: ReadonlySet<string>;
  /** Whether OOM scores may be lowered and hard limits raised. */
  readonly hasCapSysResource: boolean;
  /** -1000 to 1000. */
  readonly ownOomScoreAdj: number;
  /** The agent's own hard limit on open files; Infinity when there is none. */
  readonly nofileHardLimit: number;
  /** Such as "6.1.0-13-amd64". */
  readonly kernelRelease: string;
  readonly architecture: NodeJS.Architecture;
  /** Whether the kernel takes seccomp filters. */
  readonly seccomp: boolean;
  readonly apparmor: boolean;
  /** undefined: SELinux is off. */
  readonly selinux: SelinuxContexts | undefined;
}

/** Reads the facts of the running host from /proc and /sys. */
export function readHostFacts(cgroups: CgroupLayout = detectCgroups()): HostFacts {
  const capabilities = parseHeldCapabilities(readFileSync("/proc/self/status", "utf8"));
  return {
    cgroupVersion: cgroups.kind === "v2" ? 2 : 1,
    cgroupControllers: cgroups.controllers,
    swapLimitSupported: supportsSwapLimit(cgroups),
    capabilities,
    hasCapSysResource: capabilities.has("CAP_SYS_RESOURCE"),
    ownOomScoreAdj: Number(readFileSync("/proc/self/oom_score_adj", "utf8").trim()),
    nofileHardLimit: parseNofileHardLimit(readFileSync("/proc/self/limits", "utf8")),
    kernelRelease: release(),
    architecture: process.arch,
    // The file is there exactly when CONFIG_SECCOMP_FILTER is (Linux 4.14).
    seccomp: existsSync("/proc/sys/kernel/seccomp/actions_avail"),
    apparmor: hasApparmor(),
    selinux: readSelinuxContexts(),
  };
}

/**
 * What a child started as root can have: the permitted set within the bounding set.
 * @param status text of /proc/<pid>/status
 */
export function parseHeldCapabilities(status: string): ReadonlySet<string> {
  const mask = (field: string) => new RegExp(`^${field}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1] ?? "0";
  const bounding = new Set(parseCapabilityMask(mask("CapBnd")));
  return new Set(parseCapabilityMask(mask("CapPrm")).filter((name) => bounding.has(name)));
}

/** @param limits text of /proc/<pid>/limits, with a line `Max open files            20000                20000                files` */
export function parseNofileHardLimit(limits: string): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1];
  return hard === undefined || hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
}

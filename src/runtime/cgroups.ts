import { AgentError } from "../common/errors.ts";
import { type CgroupLayout, cgroupDirectories, createCgroup, detectCgroups, readOomKills } from "../system/cgroup.ts";
import { writeCgroupLimits } from "../system/cgroup-limits.ts";
import { killCgroup, listCgroupPids, removeCgroup } from "../system/cgroup-teardown.ts";
import type { OciResources } from "./oci-spec.ts";

/** The host's control groups, as the lifecycle of pods and containers needs them. Paths are as in a spec's `cgroupsPath`. */
export class Cgroups {
  readonly layout: CgroupLayout;

  constructor(layout: CgroupLayout = detectCgroups()) {
    this.layout = layout;
  }

  /** Makes a group with its parents. @throws AgentError SystemFailure */
  create(path: string): void {
    try {
      createCgroup(this.layout, path);
    } catch (cause) {
      throw new AgentError("SystemFailure", `Can't make the cgroup "${path}"`, { cause });
    }
  }

  /** A group's directory in each hierarchy, there or not. */
  directories(path: string): readonly string[] {
    return cgroupDirectories(this.layout, path);
  }

  /** The processes in a group and below it; none when it has gone. */
  pids(path: string): readonly number[] {
    return listCgroupPids(this.layout, path);
  }

  /** How many processes in a group and below it the kernel killed for want of memory. Read it before the runtime deletes it. */
  oomKills(path: string): number {
    return readOomKills(this.layout, path);
  }

  /**
   * Sets the limits that OCI runtimes leave out of an update: huge pages, and cgroup v2 files by name.
   * @throws AgentError InvalidArgument with what the kernel said
   */
  setLimits(
    path: string,
    { hugepageLimits = [], unified = {} }: Pick<OciResources, "hugepageLimits" | "unified">,
  ): void {
    const suffix = this.layout.kind === "v2" ? "max" : "limit_in_bytes";
    const hugepages = hugepageLimits.map(({ pageSize, limit }) => [`hugetlb.${pageSize}.${suffix}`, String(limit)]);
    try {
      writeCgroupLimits(this.layout, path, "hugetlb", Object.fromEntries(hugepages));
      writeCgroupLimits(this.layout, path, "", unified);
    } catch (cause) {
      throw new AgentError("InvalidArgument", `Can't set the limits of cgroup "${path}"`, { cause });
    }
  }

  /** Ends all processes in a group and below it. @throws AgentError DeadlineExceeded when some survive */
  async kill(path: string, timeoutMs = 10_000): Promise<void> {
    try {
      await killCgroup(this.layout, path, timeoutMs);
    } catch (cause) {
      throw new AgentError("DeadlineExceeded", `Can't end the processes of cgroup "${path}" in ${timeoutMs} ms`, {
        cause,
      });
    }
  }

  /** Removes a group and all below it from every tree. Gone already counts as done. @throws AgentError SystemFailure */
  async remove(path: string, timeoutMs = 5_000): Promise<void> {
    try {
      await removeCgroup(this.layout, path, timeoutMs);
    } catch (cause) {
      throw new AgentError("SystemFailure", `Can't remove the cgroup "${path}"`, { cause });
    }
  }
}

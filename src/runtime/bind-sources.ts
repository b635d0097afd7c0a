import { realpath } from "node:fs/promises";
import { AgentError, errnoOf } from "../common/errors.ts";
import { makeDirectory } from "../system/make-directory.ts";
import { listMounts, type MountInfo } from "../system/mountinfo.ts";
import { isImageMount, type MountRequest } from "./container-settings.ts";
import type { BindSource } from "./spec-input.ts";

/**
 * Finds where bind mounts lead on the host. A host path that doesn't exist becomes a directory, as containerd does it.
 * Off the event loop: a host path may lead to a file server that does not answer.
 * @returns by host path, for the spec planner
 * @throws AgentError InvalidArgument naming the mount
 */
export async function resolveBindSources(mounts: readonly MountRequest[]): Promise<ReadonlyMap<string, BindSource>> {
  // Only mounts that pass events on need the table, and reading it takes longer with every pod.
  const passing = mounts.some((mount) => !isImageMount(mount) && mount.propagation !== "private");
  const table = passing ? listMounts() : [];
  const sources = new Map<string, BindSource>();
  // One after another: two mounts may want the same directory made.
  for (const [index, mount] of mounts.entries()) {
    if (isImageMount(mount)) continue;
    const path = await realHostPath(mount.hostPath, index);
    sources.set(mount.hostPath, { path, propagation: propagationAt(path, table) });
  }
  return sources;
}

/** How the mount that holds a path passes mount events: the topmost of those at the longest prefix. */
export function propagationAt(path: string, table: readonly MountInfo[]): BindSource["propagation"] {
  let holder: MountInfo | undefined;
  for (const mount of table) {
    const holds = path === mount.target || mount.target === "/" || path.startsWith(`${mount.target}/`);
    if (holds && mount.target.length >= (holder?.target.length ?? 0)) holder = mount;
  }
  const tags = holder?.propagation ?? [];
  if (tags.some((tag) => tag.startsWith("shared:"))) return "shared";
  return tags.some((tag) => tag.startsWith("master:")) ? "slave" : "private";
}

async function realHostPath(hostPath: string, index: number): Promise<string> {
  try {
    return await realpath(hostPath);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw unusable(hostPath, index, error);
  }
  try {
    await makeDirectory(hostPath, 0o755);
    return await realpath(hostPath);
  } catch (error) {
    throw unusable(hostPath, index, error);
  }
}

function unusable(hostPath: string, index: number, cause: unknown): AgentError {
  const quoted = JSON.stringify(hostPath.slice(0, 200));
  return new AgentError("InvalidArgument", `Can't use mounts[${index}].host_path ${quoted}`, { cause });
}

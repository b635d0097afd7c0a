import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../common/errors.ts";
import { bindIdMapped } from "../system/id-mapped-mount.ts";
import { type BindMount, isImageMount, type MountRequest } from "./container-settings.ts";
import type { BindSource } from "./spec-input.ts";

/**
 * Mounts the sources of id-mapped mounts where their files have the pod's owners: by the agent, so that it does not matter
 * whether the OCI runtime can.
 * @param userns file of the pod's user namespace
 * @param directory below the bundle, whose removal unmounts them
 * @returns the sources, with those that were asked for replaced
 * @throws AgentError FailedPrecondition for a file system that can't map ids
 */
export function mapSources(
  mounts: readonly MountRequest[],
  sources: ReadonlyMap<string, BindSource>,
  userns: string,
  directory: string,
): ReadonlyMap<string, BindSource> {
  const mapped = new Map(sources);
  for (const [index, mount] of mounts.entries()) {
    if (isImageMount(mount) || mount.idMapped === undefined) continue;
    const source = sources.get(mount.hostPath);
    if (source === undefined) throw new AgentError("Internal", `The source of mounts[${index}] was not looked up`);
    const path = mapSource(mount, index, source.path, { userns, directory });
    mapped.set(mount.hostPath, { ...source, path });
  }
  return mapped;
}

function mapSource(
  { hostPath }: BindMount,
  index: number,
  source: string,
  { userns, directory }: { readonly userns: string; readonly directory: string },
): string {
  const place = join(directory, `mount-${index}`);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    if (statSync(source).isDirectory()) mkdirSync(place, { recursive: true });
    else writeFileSync(place, "");
    bindIdMapped(source, place, userns, true);
    return place;
  } catch (cause) {
    throw new AgentError(
      "FailedPrecondition",
      `Can't map the ids of mounts[${index}].host_path ${JSON.stringify(hostPath.slice(0, 200))}: its file system must be able to`,
      { cause },
    );
  }
}

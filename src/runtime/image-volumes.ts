import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { AgentError } from "../common/errors.ts";
import { removeTree } from "../system/files.ts";
import type { MountRequest } from "./container-settings.ts";
import { resolveInRootfs } from "./path-in-rootfs.ts";
import type { VolumeMount } from "./spec-input.ts";
import { uncoveredVolumes } from "./spec-mounts.ts";

/** An image with more is broken or means harm (each costs a mount and a directory). */
const maxVolumes = 100;

export interface VolumesInput {
  /** The container's mounted root file system, in which nothing runs yet. */
  readonly rootfs: string;
  /** VOLUMEs of the image config. */
  readonly volumes: readonly string[];
  readonly mounts: readonly MountRequest[];
  /** Where the directories are made; removed with the container. */
  readonly directory: string;
}

/**
 * Makes a directory for each VOLUME of an image that no mount of the request covers, with what the image has there. It
 * is a plain directory of the disk, so that it stays writable below a read-only root and can hold overlays itself.
 * @throws AgentError InvalidArgument for volumes no image should have, SystemFailure
 */
export async function prepareVolumes(input: VolumesInput): Promise<readonly VolumeMount[]> {
  const { rootfs, volumes, mounts, directory } = input;
  if (volumes.length > maxVolumes) {
    throw new AgentError(
      "InvalidArgument",
      `The image has ${volumes.length} volumes: at most ${maxVolumes} can be made`,
    );
  }
  const wanted = uncoveredVolumes(volumes, mounts);
  const made: VolumeMount[] = [];
  for (const [index, destination] of wanted.entries()) {
    const source = join(directory, String(index));
    await makeVolume(join(rootfs, resolveInRootfs(rootfs, destination)), source);
    made.push({ source, destination });
  }
  return made;
}

async function makeVolume(content: string, volume: string): Promise<void> {
  try {
    // Half a copy of an earlier try would pass for the whole.
    await removeTree(volume);
    mkdirSync(volume, { recursive: true });
    chmodSync(volume, 0o755);
    if (!existsSync(content) || !statSync(content).isDirectory()) return;
    // cp keeps owners, modes, times, links, extended attributes and device nodes, and follows no link it finds.
    await promisify(execFile)("cp", ["-a", "--", `${content}/.`, volume], {
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    });
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't fill the volume "${volume}" from the image`, { cause });
  }
}

import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { AgentError, errnoOf } from "../common/errors.ts";
import { mount as mountFileSystem, mountFlag, unmount } from "../system/mount.ts";
import { mountOverlay } from "../system/overlay.ts";
import { hostRoot } from "./id-mapping.ts";
import { type LayerIdMap, withMappedLayers } from "./mapped-layers.ts";

export interface RootfsMount {
  /** Layer directories, the topmost first; at least two when there is no upper one. */
  readonly lower: readonly string[];
  /** Where the container's own changes go, and the kernel's scratch directory beside it; made when missing. */
  readonly upper: string;
  readonly work: string;
  /** Absolute path of the mount point; made when missing. */
  readonly target: string;
  /** SELinux context of its files; undefined where the host has no SELinux. */
  readonly context?: string | undefined;
  /** Whose the files are to be; absent: the host's own ids. */
  readonly idMap?: LayerIdMap | undefined;
}

/**
 * Mounts a container's root file system. Mounted already counts as done.
 * @throws AgentError SystemFailure
 */
export function mountRootfs({ lower, upper, work, target, context, idMap }: RootfsMount): void {
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    if (isMountPoint(target)) return;
    mkdirSync(upper, { recursive: true });
    // It is the container's "/", which every user must get through, whatever our umask is.
    chmodSync(upper, 0o755);
    // Left by a mount that a power loss cut off: with it the kernel refuses to mount again (overlayfs.rst, "Volatile mount").
    if (existsSync(join(work, "work/incompat/volatile"))) rmSync(work, { recursive: true, force: true });
    mkdirSync(work, { recursive: true, mode: 0o700 });
    const overlay = { writable: { upper, work }, target, context };
    if (idMap === undefined) {
      mountOverlay({ ...overlay, lower });
      return;
    }
    chownSync(upper, hostRoot(idMap.mapping.uids), hostRoot(idMap.mapping.gids));
    withMappedLayers(lower, idMap, (mapped) => mountOverlay({ ...overlay, lower: mapped }));
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't mount the root file system on "${target}"`, { cause });
  }
}

/**
 * Unmounts whatever lies on the mount point, once or several times. Nothing there counts as done.
 * @throws AgentError SystemFailure
 */
export async function unmountRootfs(target: string): Promise<void> {
  await unmountAll(target);
}

/**
 * Mounts the pod's shared memory: 64 MiB, which all its containers see at /dev/shm. Mounted already counts as done.
 * @param context as in {@link RootfsMount}
 * @throws AgentError SystemFailure
 */
export function mountShm(target: string, context?: string): void {
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 });
    if (isMountPoint(target)) return;
    const flags = mountFlag.nosuid | mountFlag.nodev | mountFlag.noexec;
    const options = "mode=1777,size=65536k";
    mountFileSystem("shm", target, "tmpfs", flags, context === undefined ? options : `${options},context="${context}"`);
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't mount the pod's shared memory on "${target}"`, { cause });
  }
}

/** Unmounts the pod's shared memory. @throws AgentError SystemFailure */
export async function unmountShm(target: string): Promise<void> {
  await unmountAll(target);
}

async function unmountAll(target: string): Promise<void> {
  try {
    // A crash between a mount and its record can leave two on each other; more than a few means something else remounts.
    for (let tries = 0; tries < 8 && isMountPoint(target); tries++) await unmount(target);
    if (isMountPoint(target)) throw new Error("something mounts it again and again");
  } catch (cause) {
    throw new AgentError("SystemFailure", `Can't unmount "${target}"`, { cause });
  }
}

/** Whether another file system than its parent's is mounted here; false when it doesn't exist. */
function isMountPoint(path: string): boolean {
  try {
    return statSync(path).dev !== statSync(dirname(path)).dev;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

import { closeSync, openSync } from "node:fs";
import { errnoOf, SystemError } from "../common/errors.ts";
import { O_PATH } from "./libc.ts";
import { mount, mountFlag } from "./mount.ts";

export interface OverlayMount {
  /** The topmost first. */
  readonly lower: readonly string[];
  /** Absent: read-only. */
  readonly writable?: { readonly upper: string; readonly work: string };
  readonly target: string;
  /** SELinux context of every file in it, such as "system_u:object_r:container_file_t:s0:c1,c2". */
  readonly context?: string | undefined;
}

const O_DIRECTORY = 0o200000;
/** mount(2) copies one page of options; 4096 is the smallest there is. */
const pageSize = 4096;

/**
 * A redirect or metacopy mark in a layer would let the layer's author name files outside their place. All four are in
 * every kernel that has openat2.
 */
const safeOptions = ["redirect_dir=nofollow", "metacopy=off", "index=off", "nfs_export=off"] as const;

/**
 * Mounts an overlay. The layers are named to the kernel by descriptors, so neither long paths nor commas or colons in
 * them matter: mount(2) takes one page of options, which is enough for about 200 layers.
 * @throws SystemError naming the target
 */
export function mountOverlay({ lower, writable, target, context }: OverlayMount): void {
  using fds = new DisposableStack();
  const byFd = (path: string) => {
    const fd = openDirectory(path);
    fds.defer(() => closeSync(fd));
    return `/proc/self/fd/${fd}`;
  };
  const options = [`lowerdir=${lower.map(byFd).join(":")}`, ...safeOptions];
  // Quoted, for a level can have commas.
  if (context !== undefined) options.push(`context="${context}"`);
  if (writable === undefined) {
    mountWith(target, mountFlag.readonly, options);
    return;
  }
  options.push(`upperdir=${byFd(writable.upper)}`, `workdir=${byFd(writable.work)}`);
  try {
    // Linux 5.10: no sync of the whole disk at each unmount, for a file system that does not outlive its container.
    mountWith(target, 0, [...options, "volatile"]);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== "EINVAL") throw error;
    mountWith(target, 0, options);
  }
}

function mountWith(target: string, flags: number, options: readonly string[]): void {
  const data = options.join(",");
  if (data.length >= pageSize) {
    throw new SystemError(`mount overlay on "${target}": its options exceed the ${pageSize} bytes the kernel takes`);
  }
  mount("overlay", target, "overlay", flags, data);
}

function openDirectory(path: string): number {
  try {
    return openSync(path, O_PATH | O_DIRECTORY);
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new SystemError(`open layer directory "${path}": ${errno ?? String(cause)}`, {
      cause,
      ...(errno !== undefined && { errno }),
    });
  }
}

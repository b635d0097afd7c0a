import koffi from "koffi";
import { SystemError } from "../common/errors.ts";
import { check, errnoName, libc } from "./libc.ts";

/** mount(2) flags used here. */
export const mountFlag = {
  readonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  remount: 0x20,
  bind: 0x1000,
  rec: 0x4000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
} as const;

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** @throws SystemError naming the target */
export function mount(source: string, target: string, type: string, flags = 0, data = ""): void {
  check(libc.mount(source, target, type, flags, data), `mount ${type || "bind"} on "${target}"`);
}

/**
 * Unmounts off the event loop, for an overlay's unmount may write its upper directory back.
 * A target that is no mount point, or is gone, counts as done.
 * @throws SystemError
 */
export async function unmount(target: string): Promise<void> {
  const errno = await umountAsync(target, UMOUNT_NOFOLLOW);
  if (errno === "EBUSY") {
    // Somebody still looks at a file inside. Detached, the mount leaves the tree now and dies with its last user.
    const lazy = await umountAsync(target, UMOUNT_NOFOLLOW | MNT_DETACH);
    if (lazy !== undefined) throw new SystemError(`unmount "${target}": ${lazy}`, { errno: lazy });
    return;
  }
  if (errno !== undefined) throw new SystemError(`unmount "${target}": ${errno}`, { errno });
}

/** @returns undefined when nothing is mounted at the target any more, else the errno's name */
function umountAsync(target: string, flags: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    libc.umount2.async(target, flags, (error: Error | null, result: number) => {
      if (error !== null) return reject(error);
      if (result === 0) return resolve(undefined);
      const errno = errnoName(koffi.errno());
      // EINVAL: not a mount point; ENOENT: not even a file. Either way the step's goal is reached.
      resolve(errno === "EINVAL" || errno === "ENOENT" ? undefined : errno);
    });
  });
}

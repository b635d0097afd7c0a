import { close, constants, openSync } from "node:fs";
import { errnoOf, SystemError } from "../common/errors.ts";
import { blockingWorkers } from "./blocking-workers.ts";
import { check, libc, O_PATH } from "./libc.ts";

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
 * Takes a mount out of the tree at once; it ends with its last user. Only for what writes nothing back, such as a bind
 * mount. @throws SystemError
 */
export function detachMount(target: string): void {
  check(libc.umount2(target, UMOUNT_NOFOLLOW | MNT_DETACH), `unmount "${target}"`);
}

/**
 * Takes a mount out of the tree at once, for what writes nothing back but may have much memory to free: that is done on
 * another thread, where its last user is let go.
 * @throws SystemError
 */
export function detachIdleMount(target: string): void {
  let last: number;
  try {
    last = openSync(target, O_PATH | constants.O_NOFOLLOW);
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new SystemError(`unmount "${target}": ${errno ?? String(cause)}`, { cause, ...(errno && { errno }) });
  }
  try {
    detachMount(target);
  } finally {
    close(last, () => undefined);
  }
}

/**
 * Unmounts on a thread of its own, for the kernel may write a whole disk back first. A target that is no mount point, or
 * is gone, counts as done.
 * @throws SystemError
 */
export async function unmount(target: string): Promise<void> {
  try {
    await blockingWorkers.run({ kind: "unmount", target, flags: UMOUNT_NOFOLLOW });
  } catch (error) {
    if (errnoOf(error) !== "EBUSY") throw error;
    // Somebody still looks at a file inside. Detached, the mount leaves the tree now and dies with its last user.
    await blockingWorkers.run({ kind: "unmount", target, flags: UMOUNT_NOFOLLOW | MNT_DETACH });
  }
}

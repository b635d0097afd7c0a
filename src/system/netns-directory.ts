import { closeSync, mkdirSync, openSync } from "node:fs";
import { SystemError } from "../common/errors.ts";
import { check, libc } from "./libc.ts";
import { mount, mountFlag } from "./mount.ts";
import { listMounts } from "./mountinfo.ts";

/** Where `ip netns` looks for pins. */
export const netnsDirectory = "/run/netns";

const LOCK_EX = 2;

/**
 * Makes the directory of network namespace pins, and makes it a shared mount as ip-netns(8) does: a pin set or taken
 * away here is then seen in every mount namespace, and a copy of it in one of them can't keep a dead pod's network alive.
 * @throws SystemError
 */
export function prepareNetnsDirectory(): void {
  let fd: number;
  try {
    mkdirSync(netnsDirectory, { recursive: true, mode: 0o755 });
    fd = openSync(netnsDirectory, "r");
  } catch (cause) {
    throw new SystemError(`make "${netnsDirectory}"`, { cause });
  }
  try {
    // Two agents that start together would both mount, and one would hide the other's pins.
    check(libc.flock(fd, LOCK_EX), `lock "${netnsDirectory}"`);
    const found = listMounts().findLast(({ target }) => target === netnsDirectory);
    if (found?.propagation.some((tag) => tag.startsWith("shared:"))) return;
    // Only a mount point has a propagation mode, so the directory is mounted on itself first.
    if (found === undefined) mount(netnsDirectory, netnsDirectory, "", mountFlag.bind | mountFlag.rec);
    mount("", netnsDirectory, "", mountFlag.shared | mountFlag.rec);
  } finally {
    closeSync(fd);
  }
}

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../common/errors.ts";
import type { OciDevice } from "./oci-spec.ts";

/** What each container has of its own, or what other managers of the host keep there. */
const skipped: ReadonlySet<string> = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev", "console"]);

/** S_IFBLK and S_IFCHR, inode(7). */
const deviceTypes: ReadonlyMap<bigint, OciDevice["type"]> = new Map([
  [0o060000n, "b"],
  [0o020000n, "c"],
]);

/**
 * The device nodes below the host's /dev, for privileged containers.
 * @param directory another place to look in, for tests
 */
export function readHostDevices(directory = "/dev"): readonly OciDevice[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry): readonly OciDevice[] => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : readHostDevices(path);
    if ((!entry.isBlockDevice() && !entry.isCharacterDevice()) || skipped.has(entry.name)) return [];
    const node = readDeviceNode(path);
    return node === undefined ? [] : [node];
  });
}

/** One node, or undefined for what is no device. A node that is unplugged between two looks is simply not there. */
export function readDeviceNode(path: string): OciDevice | undefined {
  try {
    const { rdev, mode, uid, gid } = statSync(path, { bigint: true });
    const type = deviceTypes.get(mode & 0o170000n);
    if (type === undefined) return undefined;
    return {
      path,
      type,
      major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
      minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
      fileMode: Number(mode & 0o777n),
      uid: Number(uid),
      gid: Number(gid),
    };
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENXIO") return undefined;
    throw error;
  }
}

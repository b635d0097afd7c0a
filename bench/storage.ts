import { closeSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { mount, mountFlag } from "../src/system/mount.ts";
import { output } from "../test/support/command.ts";
import { place } from "./place.ts";
import type { StorageKind } from "./settings.ts";

/** Sparse; only what is written takes room. */
const imageBytes = 12 * 2 ** 30;

const descriptions: Readonly<Record<StorageKind, string>> = {
  tmpfs: "a fresh tmpfs: no disk, so that the ratio is one of processor time",
  ext4: "a fresh ext4 with a journal, in a sparse file on /var/tmp",
  disk: "a directory on the file system of /var/tmp",
};

/** Mounts the base, and in it what both sides unpack to. @returns what it is, for the report */
export async function mountStorage(kind: StorageKind): Promise<string> {
  mkdirSync(place.base, { recursive: true, mode: 0o700 });
  mount("podling-bench", place.base, "tmpfs", 0, "mode=700");
  mkdirSync(place.storage);
  if (kind === "tmpfs") {
    mount("podling-bench", place.storage, "tmpfs", 0, "mode=700,size=75%,nr_inodes=0");
    return descriptions.tmpfs;
  }
  mkdirSync(place.disk, { recursive: true, mode: 0o700 });
  if (kind === "disk") {
    mount(place.disk, place.storage, "", mountFlag.bind);
    return `${descriptions.disk} (${(await output(["stat", "-f", "-c", "%T", place.disk])).trim()})`;
  }
  const file = join(place.disk, "ext4.img");
  const fd = openSync(file, "w", 0o600);
  ftruncateSync(fd, imageBytes);
  closeSync(fd);
  // No lazy initialisation: the kernel would do it while we measure.
  await output(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", file]);
  // The loop device that mount takes goes with the mount.
  await output(["mount", "-o", "loop", file, place.storage]);
  return descriptions.ext4;
}

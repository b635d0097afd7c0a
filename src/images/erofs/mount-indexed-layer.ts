import { closeSync, openSync } from "node:fs";
import { mount, mountFlag } from "../../system/mount.ts";
import type { IndexedLayerPaths } from "./indexed-layer-paths.ts";

/**
 * Mounts a layer's index with its data file behind it, straight from the files (Linux 6.12): no loop device. What an
 * overlay makes of it decides by the overlay's own flags which programs and devices work.
 * @throws SystemError
 */
export function mountIndexedLayer({ data, index, tree }: IndexedLayerPaths): void {
  // By descriptor, for a comma in its path would end the option.
  const fd = openSync(data, "r");
  try {
    const flags = mountFlag.readonly | mountFlag.nosuid | mountFlag.nodev;
    mount(index, tree, "erofs", flags, `device=/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

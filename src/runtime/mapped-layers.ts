import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { failpoint } from "../common/failpoint.ts";
import { bindIdMapped } from "../system/id-mapped-mount.ts";
import { detachMount } from "../system/mount.ts";
import type { UserMapping } from "./id-mapping.ts";

/** Whose the files of layers are to be. */
export interface LayerIdMap {
  /** File of the pod's user namespace. */
  readonly userns: string;
  readonly mapping: UserMapping;
  /** Where layers are mounted with their new owners while an overlay is being made; made when missing. */
  readonly staging: string;
}

/**
 * Gives layers to a mount of an overlay with the pod's owners. Overlays can't be given other owners, but what they stand
 * on can (Linux 5.19), and they keep clones of those mounts.
 * @throws SystemError
 */
export function withMappedLayers(
  lower: readonly string[],
  { userns, staging }: LayerIdMap,
  use: (mapped: readonly string[]) => void,
): void {
  using mounted = new DisposableStack();
  const mapped = lower.map((layer, index) => {
    const place = join(staging, String(index));
    mkdirSync(place, { recursive: true, mode: 0o700 });
    bindIdMapped(layer, place, userns, false);
    mounted.defer(() => detachMount(place));
    return place;
  });
  failpoint("create.layers-mapped");
  use(mapped);
}

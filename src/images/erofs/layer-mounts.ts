import { realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { AgentError, errnoOf } from "../../common/errors.ts";
import { failpoint } from "../../common/failpoint.ts";
import { detachIdleMount } from "../../system/mount.ts";
import { listMounts } from "../../system/mountinfo.ts";
import { indexedLayerPaths } from "./indexed-layer-paths.ts";
import { mountIndexedLayer } from "./mount-indexed-layer.ts";

/**
 * The mounts of indexed layers: one for each snapshot while somebody needs it, so that all containers on it share the
 * memory its files are read into. An overlay keeps what it stands on by itself, so taking a mount off ends no container.
 */
export class LayerMounts {
  readonly #directory: string;
  /** Numbers of the snapshots that this agent has mounted, or found mounted. */
  readonly #mounted = new Set<number>();

  /** @param directory `<root>/snapshots`, which exists */
  constructor(directory: string) {
    // The kernel tells of its mounts without links.
    this.#directory = realpathSync(directory);
  }

  /** Numbers of the mounted snapshots. */
  list(): readonly number[] {
    return [...this.#mounted];
  }

  /**
   * Mounts the snapshot unless it is mounted.
   * @returns the layer's tree
   * @throws AgentError SystemFailure
   */
  ensure(number: number): string {
    const paths = this.#paths(number);
    try {
      // Asked each time: an empty directory in place of a layer would go unnoticed for long.
      if (!isMountPoint(paths.tree)) mountIndexedLayer(paths);
    } catch (cause) {
      throw new AgentError("SystemFailure", `Can't mount the layer in "${dirname(paths.index)}"`, { cause });
    }
    this.#mounted.add(number);
    failpoint("pull.layer-mounted");
    return paths.tree;
  }

  /** Takes the snapshot's mount off at once. Not mounted counts as done. @throws SystemError */
  release(number: number): void {
    if (!this.#mounted.has(number)) return;
    takeOff(this.#paths(number).tree);
    this.#mounted.delete(number);
  }

  /**
   * At start: takes up the mounts that an earlier agent left, and takes off those that are not what they should be.
   * @param isIndexed whether there is an indexed snapshot of this number
   * @throws SystemError
   */
  adopt(isIndexed: (number: number) => boolean): void {
    for (const { target, type, source } of listMounts()) {
      if (!target.startsWith(`${this.#directory}/`)) continue;
      const number = Number(target.slice(this.#directory.length + 1).split("/")[0]);
      const { index, tree } = this.#paths(number);
      const isOurs = target === tree && type === "erofs" && source === index;
      if (isOurs && isIndexed(number) && !this.#mounted.has(number)) this.#mounted.add(number);
      else takeOff(target);
    }
  }

  #paths(number: number) {
    return indexedLayerPaths(join(this.#directory, String(number)));
  }
}

function takeOff(target: string): void {
  try {
    detachIdleMount(target);
  } catch (error) {
    // Somebody else has taken it off, or its directory away.
    if (errnoOf(error) !== "EINVAL" && errnoOf(error) !== "ENOENT") throw error;
  }
}

function isMountPoint(path: string): boolean {
  return statSync(path).dev !== statSync(dirname(path)).dev;
}

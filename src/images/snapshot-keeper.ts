import type { Digest } from "../common/ids.ts";
import { KeyedMutex } from "../common/keyed-mutex.ts";
import type { SnapshotIds } from "./snapshot-record.ts";

/** The snapshots the keeper decides about. */
export interface KeptSnapshots {
  list(): readonly SnapshotIds[];
  /** From its first instant the snapshot counts as absent. */
  remove(chainId: Digest): Promise<void>;
}

/** Knows who needs which snapshots, and removes those nobody needs, children before parents. */
export class SnapshotKeeper {
  readonly #snapshots: KeptSnapshots;
  readonly #imageChains: () => Iterable<Digest>;
  readonly #holders = new Map<string, readonly Digest[]>();
  readonly #collecting = new KeyedMutex();

  /** @param imageChains chain ids that the images of the catalogue need now */
  constructor(snapshots: KeptSnapshots, imageChains: () => Iterable<Digest>) {
    this.#snapshots = snapshots;
    this.#imageChains = imageChains;
  }

  /** Keeps these snapshots and their parents until the holder lets go; the same holder again replaces what it held. */
  hold(holder: string, chainIds: readonly Digest[]): void {
    this.#holders.set(holder, chainIds);
  }

  /** The snapshots that holders of this kind keep, with their parents. @param prefix of the holders' names */
  heldBy(prefix: string): ReadonlySet<Digest> {
    const held = [...this.#holders].flatMap(([holder, chainIds]) => (holder.startsWith(prefix) ? chainIds : []));
    return withParents(this.#snapshots.list(), held);
  }

  /** Takes a hold away; what nobody needs any more goes with the next {@link collect}. */
  letGo(holder: string): void {
    this.#holders.delete(holder);
  }

  /** Who holds which snapshots now. */
  holders(): ReadonlyMap<string, readonly Digest[]> {
    return this.#holders;
  }

  /** Removes what nobody needs. A snapshot that somebody begins to need meanwhile stays. */
  async collect(): Promise<void> {
    using _turn = await this.#collecting.acquire("");
    for (const { chainId } of planCollection(this.#snapshots.list(), this.#needed())) {
      // Asked anew each time: between two removals a pull may have begun to build on this one.
      const stillUnneeded = planCollection(this.#snapshots.list(), this.#needed());
      if (stillUnneeded.some((snapshot) => snapshot.chainId === chainId)) await this.#snapshots.remove(chainId);
    }
  }

  #needed(): ReadonlySet<Digest> {
    const needed = new Set<Digest>(this.#imageChains());
    for (const chainIds of this.#holders.values()) for (const chainId of chainIds) needed.add(chainId);
    return needed;
  }
}

/** The snapshots that are neither needed nor below one that is, children before parents. */
export function planCollection(snapshots: readonly SnapshotIds[], needed: ReadonlySet<Digest>): readonly SnapshotIds[] {
  const byChain = new Map(snapshots.map((snapshot) => [snapshot.chainId, snapshot]));
  const kept = withParents(snapshots, needed);
  const depth = (snapshot: SnapshotIds): number => {
    let levels = 0;
    for (
      let at: SnapshotIds | undefined = snapshot;
      at?.parentChainId !== undefined && levels <= snapshots.length;
      levels++
    ) {
      at = byChain.get(at.parentChainId);
    }
    return levels;
  };
  return snapshots.filter(({ chainId }) => !kept.has(chainId)).toSorted((a, b) => depth(b) - depth(a));
}

function withParents(snapshots: readonly SnapshotIds[], starts: Iterable<Digest>): ReadonlySet<Digest> {
  const byChain = new Map(snapshots.map((snapshot) => [snapshot.chainId, snapshot]));
  const all = new Set<Digest>();
  for (const start of starts) {
    for (let at = byChain.get(start); at !== undefined && !all.has(at.chainId); ) {
      all.add(at.chainId);
      at = at.parentChainId === undefined ? undefined : byChain.get(at.parentChainId);
    }
  }
  return all;
}

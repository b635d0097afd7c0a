import type { Digest } from "../common/ids.ts";
import type { ImageRecord } from "./image-record.ts";
import type { ImageUses } from "./image-uses.ts";
import type { GcFacts, GcImage } from "./plan-image-gc.ts";

/** Where the facts about images come from. */
export interface GcSources {
  readonly images: readonly ImageRecord[];
  readonly layers: GcFacts["layers"];
  /** Snapshots that containers (`container/<id>`) and pulls (by the id of their intent) hold. */
  readonly holders: ReadonlyMap<string, readonly Digest[]>;
  /** References of the pulls under way, by the ids of their intents. */
  readonly pulls: ReadonlyMap<string, string>;
  readonly uses: Pick<ImageUses, "idleMs" | "quietMs" | "leaseMs">;
  /** Why an image is pinned, or undefined. */
  readonly pinOf: (image: ImageRecord) => string | undefined;
  /** Whether the intent is that of a failed pull, which waits for another try. */
  readonly isKeptTry: (holder: string) => boolean;
}

/** Puts together what the collection decides from. */
export function gcFacts(sources: GcSources): Omit<GcFacts, "fileSystem"> {
  const { images, layers, holders, uses, pinOf } = sources;
  const described = images.map((image): GcImage => {
    const { id, tags, digests, chainIds } = image;
    const users = usersOf(image, sources);
    const idle = users.length > 0 ? { idleMs: 0, quietMs: 0 } : { idleMs: uses.idleMs(id), quietMs: uses.quietMs(id) };
    const name = tags[0] ?? digests[0] ?? id;
    return { id, name, chainIds, ...idle, users, pin: pinOf(image), leaseMs: uses.leaseMs(id) };
  });
  return { images: described, layers, heldChainIds: [...holders.values()].flat() };
}

/** Whoever holds the image's top layer may have it by this image: better one image too many than one too few. */
function usersOf(image: ImageRecord, { holders, pulls, isKeptTry }: GcSources): readonly string[] {
  const top = image.chainIds.at(-1);
  const users: string[] = [];
  for (const [holder, chainIds] of holders) {
    if (top === undefined || !chainIds.includes(top) || isKeptTry(holder)) continue;
    const [, containerId] = /^container\/(.*)$/.exec(holder) ?? [];
    if (containerId !== undefined) users.push(`container ${containerId.slice(0, 13)}`);
    else users.push(pulls.has(holder) ? "a running pull" : holder);
  }
  const names = new Set([...image.tags, ...image.digests]);
  if ([...pulls.values()].some((reference) => names.has(reference))) users.push("a running pull");
  return [...new Set(users)].toSorted();
}

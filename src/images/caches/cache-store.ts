import type { Digest } from "../../common/ids.ts";
import type { ImageCatalogue } from "../image-catalogue.ts";
import type { ImageRecord } from "../image-record.ts";
import type { Ingests } from "../ingests.ts";
import type { PullDependencies } from "../pull-image.ts";
import type { PullProgress } from "../pull-progress.ts";
import { type ImageReference, parseReference } from "../reference.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";
import type { SnapshotKeeper } from "../snapshot-keeper.ts";
import type { SnapshotStore } from "../snapshot-store.ts";

/** What caches do with the node's images. */
export interface CacheStore {
  /** Brings an image without making it one of the node's; `keep` is called once, within the transaction that ends the pull. */
  pull(
    request: { readonly reference: string; readonly auth: RegistryCredentials | undefined },
    keep: (image: ImageRecord, together: () => void) => void,
    tell: (event: PullProgress) => void,
    signal: AbortSignal,
  ): Promise<unknown>;
  /** The node's image of a full reference. */
  onNode(reference: string): ImageRecord | undefined;
  /** Makes an image whose layers are here one of the node's again. */
  offer(image: ImageRecord): void;
  /** Bytes of each layer on the disk. */
  layers(): ReadonlyMap<Digest, number>;
  hold(holder: string, chainIds: readonly Digest[]): void;
  letGo(holder: string): void;
  /** Forgets what failed pulls of these left for another try. */
  abandon(references: readonly string[]): void;
  /** Removes layers and documents that nobody needs. */
  collect(): Promise<void>;
}

/** Who takes over what a pull brings, and who hears how far it is. */
export type PullTaker = Pick<PullDependencies["catalogue"], "add"> & Pick<PullDependencies, "tell">;

export interface CacheStoreParts {
  readonly bring: (
    reference: ImageReference,
    auth: RegistryCredentials | undefined,
    taker: PullTaker,
    signal: AbortSignal,
  ) => Promise<ImageRecord>;
  readonly tell: (event: PullProgress) => void;
  readonly add: (image: ImageRecord) => void;
  readonly catalogue: Pick<ImageCatalogue, "resolve">;
  readonly snapshots: Pick<SnapshotStore, "list">;
  readonly keeper: Pick<SnapshotKeeper, "hold" | "letGo">;
  readonly ingests: Pick<Ingests, "abandon">;
  readonly collect: () => Promise<void>;
}

/** Puts together what caches need from the parts that images are made of. */
export function cacheStore(parts: CacheStoreParts): CacheStore {
  const { catalogue, keeper, snapshots } = parts;
  return {
    pull: ({ reference, auth }, keep, tell, signal) => {
      const add = (record: ImageRecord, together: () => void = () => undefined) => {
        keep(record, together);
        return record;
      };
      const tellBoth = (event: PullProgress) => {
        parts.tell(event);
        tell(event);
      };
      return parts.bring(parseReference(reference), auth, { add, tell: tellBoth }, signal);
    },
    onNode: (reference) => catalogue.resolve(reference),
    offer: (image) => {
      // The names that other images have come to own meanwhile stay theirs.
      const isFree = (name: string) => (catalogue.resolve(name)?.id ?? image.id) === image.id;
      parts.add({ ...image, tags: image.tags.filter(isFree) });
    },
    layers: () => new Map(snapshots.list().map(({ chainId, sizeBytes }) => [chainId, sizeBytes])),
    hold: (holder, chainIds) => keeper.hold(holder, chainIds),
    letGo: (holder) => keeper.letGo(holder),
    abandon: (references) => parts.ingests.abandon(references),
    collect: parts.collect,
  };
}

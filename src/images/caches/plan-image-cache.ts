import { AgentError } from "../../common/errors.ts";
import type { Digest } from "../../common/ids.ts";
import type { ImageRecord } from "../image-record.ts";
import { formatReference, parseReference } from "../reference.ts";
import {
  type CachedImage,
  type ImageCacheEvent,
  type ImageCacheRecord,
  type ImageCacheSpec,
  isUnderWay,
  keptImages,
} from "./image-cache-record.ts";

const dayMs = 86_400_000;
/** How long a failed cache is there to be looked at. */
const failedForMs = dayMs;
const maxEvents = 20;
const bytesPerGib = 2 ** 30;

/** A wish for a cache. */
export interface CacheRequest {
  readonly name: string;
  readonly origin: ImageCacheRecord["origin"];
  readonly spec: ImageCacheSpec;
}

/** What a request for a cache comes to. */
export type CreationPlan =
  | { readonly kind: "existing"; readonly record: ImageCacheRecord }
  /** `eliminate` goes first, in this order. */
  | { readonly kind: "create"; readonly eliminate: readonly ImageCacheRecord[] };

/**
 * Decides what a request for a new cache comes to. The same request again gets the cache that it made before; a failed one
 * of the name is replaced.
 * @param limit how many caches there may be
 * @throws AgentError AlreadyExists for a name that is taken, ResourceExhausted when none of the others may go
 */
export function planCreation(request: CacheRequest, present: readonly ImageCacheRecord[], limit: number): CreationPlan {
  const namesake = present.find(({ name }) => name === request.name);
  const eliminate: ImageCacheRecord[] = [];
  if (namesake !== undefined && namesake.phase !== "Failed") {
    if (sameSpec(namesake.spec, request.spec)) return { kind: "existing", record: namesake };
    throw new AgentError(
      "AlreadyExists",
      `Image cache name "${request.name}" is taken by "${namesake.id}", which has another spec: delete that one, or ask for another name`,
    );
  }
  if (namesake !== undefined) eliminate.push(namesake);
  const others = present.filter((record) => record !== namesake);
  const excess = others.length + 1 - limit;
  if (excess > 0) {
    const victims = planElimination(others).slice(0, excess);
    if (victims.length < excess) {
      throw new AgentError(
        "ResourceExhausted",
        `There are ${others.length} image caches, at most ${limit} may be (images.caches.limit), and no further one may be ` +
          "eliminated: delete one, or give them the elimination strategy LRU",
      );
    }
    eliminate.push(...victims);
  }
  return { kind: "create", eliminate };
}

/** The caches that may go for another one: failed ones, then the longest unused with the strategy LRU. */
export function planElimination(present: readonly ImageCacheRecord[]): readonly ImageCacheRecord[] {
  const lastUse = ({ lastMatchedTime, lastUpdateTime }: ImageCacheRecord) =>
    lastMatchedTime > lastUpdateTime ? lastMatchedTime : lastUpdateTime;
  return present
    .filter((record) => !isUnderWay(record))
    .filter(({ phase, spec }) => phase === "Failed" || spec.eliminationStrategy === "LRU")
    .toSorted(
      (a, b) => Number(b.phase === "Failed") - Number(a.phase === "Failed") || (lastUse(a) < lastUse(b) ? -1 : 1),
    );
}

/** The caches whose time is over. */
export function planExpiry(present: readonly ImageCacheRecord[], nowMs: number): readonly ImageCacheRecord[] {
  return present.filter(
    (record) => !isUnderWay(record) && record.expireDateTime !== "" && Date.parse(record.expireDateTime) <= nowMs,
  );
}

/** What becomes of the caches of manifests when these are the manifests in force. */
export interface ManifestPlan {
  readonly create: readonly CacheRequest[];
  readonly update: readonly { readonly record: ImageCacheRecord; readonly spec: ImageCacheSpec }[];
  readonly remove: readonly ImageCacheRecord[];
}

/** A manifest's cache follows its spec, and goes with it; a cache of the same name that somebody else made becomes its. */
export function planManifests(wanted: readonly CacheRequest[], present: readonly ImageCacheRecord[]): ManifestPlan {
  const byName = new Map(present.map((record) => [record.name, record]));
  const names = new Set(wanted.map(({ name }) => name));
  return {
    create: wanted.filter(({ name }) => !byName.has(name)),
    update: wanted.flatMap(({ name, spec }) => {
      const record = byName.get(name);
      const follows = record === undefined || (record.origin === "manifest" && sameSpec(record.spec, spec));
      return follows ? [] : [{ record, spec }];
    }),
    remove: present.filter(({ origin, name }) => origin === "manifest" && !names.has(name)),
  };
}

/** Where an image of a cache comes from. */
export type ImageStep =
  | { readonly kind: "take"; readonly cached: CachedImage; readonly from: string }
  | { readonly kind: "pull"; readonly reference: string };

export interface BuildFacts {
  readonly others: readonly ImageCacheRecord[];
  /** The node's image of a full reference. */
  readonly onNode: (reference: string) => ImageRecord | undefined;
}

/**
 * Where each image that is still missing comes from: a pod's cache takes what the node has, one that reuses takes the
 * newest Ready cache's, and all else is pulled.
 */
export function planBuild(record: ImageCacheRecord, { others, onNode }: BuildFacts): readonly ImageStep[] {
  const { spec, gathered, origin } = record;
  const has = new Set(gathered.map(({ reference }) => reference));
  const ready = others
    .filter(({ id, phase }) => id !== record.id && phase === "Ready")
    .toSorted((a, b) => (a.lastUpdateTime > b.lastUpdateTime ? -1 : 1));
  const references = [...new Set(spec.images.map(fullReference))].filter((reference) => !has.has(reference));
  return references.map((reference): ImageStep => {
    const image = origin === "pod" ? onNode(reference) : undefined;
    if (image !== undefined) return { kind: "take", cached: { reference, image }, from: "the node's images" };
    for (const other of spec.reuse ? ready : []) {
      const cached = cachedBy(other, reference);
      if (cached !== undefined)
        return { kind: "take", cached: { ...cached, reference }, from: `image cache ${other.id}` };
    }
    return { kind: "pull", reference };
  });
}

/** The image that a cache serves by a full reference: as its spec names it, or by any other name it came with. */
export function cachedBy({ images }: ImageCacheRecord, reference: string): CachedImage | undefined {
  return (
    images.find((cached) => cached.reference === reference) ??
    images.find(({ image }) => image.tags.includes(reference) || image.digests.includes(reference))
  );
}

/** Bytes of the layers that the images have on disk, each counted once. */
export function layerBytes(images: readonly ImageRecord[], layers: ReadonlyMap<Digest, number>): number {
  const chainIds = new Set(images.flatMap((image) => image.chainIds));
  return [...chainIds].reduce((sum, chainId) => sum + (layers.get(chainId) ?? 0), 0);
}

/** @throws AgentError ResourceExhausted when the images take more than the cache may */
export function checkSize(record: ImageCacheRecord, layers: ReadonlyMap<Digest, number>): void {
  const { gathered, spec } = record;
  const bytes = layerBytes(
    gathered.map(({ image }) => image),
    layers,
  );
  if (bytes <= spec.imageCacheSize * bytesPerGib) return;
  throw new AgentError(
    "ResourceExhausted",
    `The images take ${(bytes / bytesPerGib).toFixed(1)} GiB, and imageCacheSize is ${spec.imageCacheSize} GiB`,
  );
}

/** A new cache, before anything is done for it. */
export function newImageCache(id: string, request: CacheRequest, nowMs: number): ImageCacheRecord {
  const now = new Date(nowMs).toISOString();
  return {
    id,
    ...request,
    phase: "Preparing",
    startTime: now,
    lastUpdateTime: now,
    expireDateTime: "",
    lastMatchedTime: "",
    events: [],
    images: [],
    gathered: [],
  };
}

/** The cache when its images begin to be brought, also again after a crash. */
export function begun(record: ImageCacheRecord, nowMs: number): ImageCacheRecord {
  const phase = record.images.length > 0 ? "Updating" : "Creating";
  const again = record.phase !== "Preparing" && record.gathered.length > 0;
  const message = again ? `${record.gathered.length} images are there already` : `${record.spec.images.length} images`;
  return withEvent({ ...record, phase }, "Normal", phase, message, nowMs);
}

/** The cache that is to follow another spec; what it serves stays kept until the new images are all there. */
export function toUpdate(record: ImageCacheRecord, spec: ImageCacheSpec, nowMs: number): ImageCacheRecord {
  const phase = record.images.length > 0 ? "Updating" : "Preparing";
  return withEvent({ ...record, spec, phase, gathered: [] }, "Normal", "SpecChanged", "The spec has changed", nowMs);
}

/** The cache with one image more. */
export function withImage(
  record: ImageCacheRecord,
  cached: CachedImage,
  from: string,
  nowMs: number,
): ImageCacheRecord {
  const next = { ...record, gathered: [...record.gathered, cached] };
  return withEvent(next, "Normal", "ImageCached", `${cached.reference} from ${from}`, nowMs);
}

/** The cache whose images are all there. */
export function made(record: ImageCacheRecord, nowMs: number): ImageCacheRecord {
  const { retentionDays } = record.spec;
  const expireDateTime = retentionDays === undefined ? "" : new Date(nowMs + retentionDays * dayMs).toISOString();
  const next: ImageCacheRecord = {
    ...record,
    phase: "Ready",
    images: record.gathered,
    gathered: [],
    expireDateTime,
  };
  return withEvent(next, "Normal", "Ready", `${next.images.length} images`, nowMs);
}

/** The cache that could not be made: it keeps no image but those it served before. */
export function failed(record: ImageCacheRecord, why: string, nowMs: number): ImageCacheRecord {
  const served = record.images.length > 0;
  const next: ImageCacheRecord = {
    ...record,
    phase: served ? "UpdateFailed" : "Failed",
    gathered: [],
    expireDateTime: served ? record.expireDateTime : new Date(nowMs + failedForMs).toISOString(),
  };
  return withEvent(next, "Warning", next.phase, why, nowMs);
}

/** The cache without images whose layers are not on the disk any more; it has to be made anew then. */
export function withoutLost(
  record: ImageCacheRecord,
  hasLayer: (chainId: Digest) => boolean,
  nowMs: number,
): ImageCacheRecord {
  const isWhole = ({ image }: CachedImage) => image.chainIds.every(hasLayer);
  if (keptImages(record).every((image) => isWhole({ reference: "", image }))) return record;
  const [images, gathered] = [record.images.filter(isWhole), record.gathered.filter(isWhole)];
  const next: ImageCacheRecord = {
    ...record,
    phase: record.phase === "Failed" ? "Failed" : "Preparing",
    images: [],
    gathered: gathered.length > 0 ? gathered : images,
  };
  return withEvent(next, "Warning", "LayersLost", "Layers are not on the disk any more, they are brought again", nowMs);
}

/** The cache after a pod was given it. */
export function matched(record: ImageCacheRecord, nowMs: number): ImageCacheRecord {
  return { ...record, lastMatchedTime: new Date(nowMs).toISOString() };
}

/** Adds an event, or counts it where it is the last one again; the oldest go. */
export function withEvent(
  record: ImageCacheRecord,
  type: ImageCacheEvent["type"],
  reason: string,
  message: string,
  nowMs: number,
): ImageCacheRecord {
  const now = new Date(nowMs).toISOString();
  const last = record.events.at(-1);
  const again = last !== undefined && last.type === type && last.reason === reason && last.message === message;
  const events = again
    ? [...record.events.slice(0, -1), { ...last, count: last.count + 1, lastTimestamp: now }]
    : [...record.events, { type, reason, message, count: 1, firstTimestamp: now, lastTimestamp: now }];
  return { ...record, lastUpdateTime: now, events: events.slice(-maxEvents) };
}

/** Whether two specs ask for the same images to be kept in the same way. */
export function sameSpec(a: ImageCacheSpec, b: ImageCacheSpec): boolean {
  const key = (spec: ImageCacheSpec) =>
    JSON.stringify([
      spec.images.map(fullReference).toSorted(),
      spec.imagePullSecrets,
      spec.imageCacheSize,
      spec.retentionDays ?? 0,
      spec.reuse,
      spec.eliminationStrategy,
    ]);
  return key(a) === key(b);
}

/** @throws AgentError InvalidArgument */
export function fullReference(reference: string): string {
  return formatReference(parseReference(reference));
}

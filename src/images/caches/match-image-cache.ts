import type { Digest } from "../../common/ids.ts";
import type { CacheWish } from "./cache-wish.ts";
import type { ImageCacheRecord } from "./image-cache-record.ts";
import { cachedBy } from "./plan-image-cache.ts";

/** An image that a pod asks for. */
export interface WantedImage {
  /** In full. */
  readonly reference: string;
  /** Chain ids of its layers, lowest first; undefined while the image is not on the node. */
  readonly chainIds: readonly Digest[] | undefined;
}

/** How much of an image a cache has. */
export interface ImageMatch {
  readonly reference: string;
  readonly degree: "full" | "partial" | "none";
  /** Layers that the cache has, from the bottom. */
  readonly cachedLayers: number;
  /** 0: not known before the image is on the node. */
  readonly layers: number;
}

/** The cache a pod is given, or none, and why. */
export interface CacheMatch {
  readonly cache: ImageCacheRecord | undefined;
  readonly reason: string;
  readonly images: readonly ImageMatch[];
}

interface Candidate {
  readonly cache: ImageCacheRecord;
  readonly images: readonly ImageMatch[];
  readonly full: number;
  readonly partialLayers: number;
  readonly fullBytes: number;
}

/**
 * Chooses the cache for a pod's images by itself: by how many images it has whole and layers of the others, then by the
 * size of the images it has whole, then the newest.
 * @param caches those that are Ready
 */
export function matchImageCache(
  wish: CacheWish,
  wanted: readonly WantedImage[],
  caches: readonly ImageCacheRecord[],
): CacheMatch {
  const none = wanted.map((image) => unmatched(image));
  if (wanted.length === 0) return { cache: undefined, reason: "no image of the pod is known yet", images: [] };
  const candidates = caches.map((cache) => candidateOf(cache, wanted)).toSorted(better);
  const best = candidates[0];
  if (best === undefined || (best.full === 0 && best.partialLayers === 0)) {
    return {
      cache: undefined,
      reason: `none of ${caches.length} ready image caches has a layer of the pod's images`,
      images: none,
    };
  }
  const has = `${best.full} of ${wanted.length} images`;
  if (wish.perfectMatch && best.full < wanted.length) {
    return {
      cache: undefined,
      reason: `imc-perfect-match: the best image cache, ${best.cache.id}, has ${has}`,
      images: none,
    };
  }
  if (!wish.perfectMatch && best.full < wish.matchCount) {
    const asked = `imc-match-count-request: ${wish.matchCount} images are asked for`;
    return { cache: undefined, reason: `${asked}, the best image cache, ${best.cache.id}, has ${has}`, images: none };
  }
  const layers = best.partialLayers > 0 ? ` and ${best.partialLayers} layers of others` : "";
  return {
    cache: best.cache,
    reason: `best of ${caches.length} ready image caches: ${has}${layers}`,
    images: best.images,
  };
}

/** How much of each image the cache has. */
export function matchImages(cache: ImageCacheRecord, wanted: readonly WantedImage[]): readonly ImageMatch[] {
  const present = new Set(cache.images.flatMap(({ image }) => image.chainIds));
  return wanted.map((image) => {
    const { reference } = image;
    const chainIds = image.chainIds ?? cachedBy(cache, reference)?.image.chainIds;
    if (chainIds === undefined) return unmatched(image);
    const firstMissing = chainIds.findIndex((chainId) => !present.has(chainId));
    const cachedLayers = firstMissing === -1 ? chainIds.length : firstMissing;
    const degree = cachedLayers === chainIds.length ? "full" : cachedLayers > 0 ? "partial" : "none";
    return { reference, degree, cachedLayers, layers: chainIds.length };
  });
}

function candidateOf(cache: ImageCacheRecord, wanted: readonly WantedImage[]): Candidate {
  const images = matchImages(cache, wanted);
  const whole = images.filter(({ degree }) => degree === "full");
  const layersOf = new Map(wanted.map(({ reference, chainIds }) => [reference, chainIds?.at(-1)]));
  const bytes = whole.map(({ reference }) => {
    const top = layersOf.get(reference);
    const cached =
      cachedBy(cache, reference) ?? cache.images.find(({ image }) => top !== undefined && image.chainIds.includes(top));
    return cached?.image.sizeBytes ?? 0;
  });
  return {
    cache,
    images,
    full: whole.length,
    partialLayers: images.reduce((sum, { degree, cachedLayers }) => sum + (degree === "partial" ? cachedLayers : 0), 0),
    fullBytes: bytes.reduce((sum, size) => sum + size, 0),
  };
}

function better(a: Candidate, b: Candidate): number {
  return (
    b.full - a.full ||
    b.partialLayers - a.partialLayers ||
    b.fullBytes - a.fullBytes ||
    compare(b.cache.startTime, a.cache.startTime) ||
    compare(a.cache.id, b.cache.id)
  );
}

function unmatched({ reference, chainIds }: WantedImage): ImageMatch {
  return { reference, degree: "none", cachedLayers: 0, layers: chainIds?.length ?? 0 };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

import type { CacheWish } from "./cache-wish.ts";
import type { ImageMatch } from "./match-image-cache.ts";

/** What became of a pod's wish for an image cache; kept in the pod's record. */
export interface PodImageCache {
  /** As it was when the pod was run: later changes of the profile are for later pods. */
  readonly wish: CacheWish;
  /** The cache it was given; empty: none. */
  readonly cacheId: string;
  readonly cacheName: string;
  /** Why this one, or why none. */
  readonly reason: string;
  /** The pod's images as far as they are known. */
  readonly images: readonly ImageMatch[];
  /** The cache that is made of its images, as no other has them all; empty: none is. */
  readonly builtCacheId: string;
}

/** Whether the pod's images call for a cache to be made of them. */
export function wantsCacheMade({ wish, images }: PodImageCache): boolean {
  return wish.cacheId === "" && wish.auto && images.some(({ degree }) => degree !== "full");
}

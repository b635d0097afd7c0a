import { AgentError, errorText } from "../../common/errors.ts";
import type { Log } from "../../common/log.ts";
import { withProfileAnnotations } from "../../manifests/eci-profile.ts";
import { type NodeManifests, namespaceLabels } from "../../manifests/node-manifests.ts";
import type { ImageRecord } from "../image-record.ts";
import { type CacheWish, readCacheWish } from "./cache-wish.ts";
import { type ImageCacheRecord, isUnderWay } from "./image-cache-record.ts";
import type { ImageCaches } from "./image-caches.ts";
import { matchImageCache, matchImages, type WantedImage } from "./match-image-cache.ts";
import { cachedBy, fullReference } from "./plan-image-cache.ts";
import { type PodImageCache, wantsCacheMade } from "./pod-image-cache.ts";

/** What the annotations of a pod are read with. */
export interface CachePod {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface PodImageCachesDependencies {
  readonly caches: ImageCaches;
  readonly manifests: () => NodeManifests;
  /** The node's image of a full reference. */
  readonly onNode: (reference: string) => ImageRecord | undefined;
  /** 64 hex digits. */
  readonly newId: () => string;
  readonly log: Log;
}

/** What a cache that is made of a pod's images may take; as much as one that says nothing. */
const madeSizeGib = 20;
/** As many images as a cache may have. */
const maxMadeImages = 20;

/** Gives pods the caches that their annotations ask for, and has caches made of images that no cache has. */
export class PodImageCaches {
  readonly #deps: PodImageCachesDependencies;

  constructor(deps: PodImageCachesDependencies) {
    this.#deps = deps;
  }

  /**
   * Chooses a pod's cache when it is run, and makes the cache's images ones of the node.
   * @returns undefined when its annotations ask for none
   * @throws AgentError InvalidArgument for an annotation, NotFound and FailedPrecondition for a cache that can't be used
   */
  choose(pod: CachePod): PodImageCache | undefined {
    const manifests = this.#deps.manifests();
    const labels = { labels: pod.labels, namespaceLabels: namespaceLabels(manifests, pod.namespace) };
    const wish = readCacheWish(withProfileAnnotations(manifests.eciProfile, labels, pod.annotations));
    if (wish === undefined) return undefined;
    if (wish.cacheId !== "") return this.#named(wish);
    return this.#best(
      wish,
      wish.images.map((reference) => this.#wanted(reference)),
      "",
    );
  }

  /** The choice with one image more, that a container is made of. Never throws. */
  withImage(choice: PodImageCache, name: string, image: ImageRecord): PodImageCache {
    const reference = nameOf(name, image);
    if (reference === undefined) return choice;
    const others = choice.images.filter((known) => known.reference !== reference);
    const wanted = [...others.map((known) => this.#wanted(known.reference)), { reference, chainIds: image.chainIds }];
    try {
      if (choice.wish.cacheId === "") return this.#madeBehind(this.#best(choice.wish, wanted, choice.builtCacheId));
      const cache = this.#deps.caches.ready().find(({ id }) => id === choice.cacheId);
      return cache === undefined ? choice : { ...choice, images: matchImages(cache, wanted) };
    } catch (error) {
      this.#deps.log.warn(
        { image: reference, error: errorText(error) },
        "the pod's images can't be held against caches",
      );
      return choice;
    }
  }

  #named(wish: CacheWish): PodImageCache {
    const { caches } = this.#deps;
    const { cacheId } = wish;
    const cache = caches.list().find(({ id }) => id === cacheId);
    if (cache === undefined) {
      throw new AgentError(
        "NotFound",
        `No image cache has the id "${cacheId}" of annotation k8s.aliyun.com/eci-imc-id`,
      );
    }
    if (cache.phase !== "Ready") {
      throw new AgentError(
        "FailedPrecondition",
        `Image cache "${cacheId}" of annotation k8s.aliyun.com/eci-imc-id is ${cache.phase}, must be Ready`,
      );
    }
    caches.give(cacheId, cache.images);
    return {
      wish,
      cacheId,
      cacheName: cache.name,
      reason: "named by k8s.aliyun.com/eci-imc-id",
      images: matchImages(
        cache,
        wish.images.map((reference) => this.#wanted(reference)),
      ),
      builtCacheId: "",
    };
  }

  #best(wish: CacheWish, wanted: readonly WantedImage[], builtCacheId: string): PodImageCache {
    const { caches } = this.#deps;
    const { cache, reason, images } = matchImageCache(wish, wanted, caches.ready());
    if (cache !== undefined) {
      const missing = wanted.filter(({ chainIds }) => chainIds === undefined);
      caches.give(
        cache.id,
        missing.map(({ reference }) => cachedBy(cache, reference)).filter((one) => one !== undefined),
      );
    }
    return { wish, cacheId: cache?.id ?? "", cacheName: cache?.name ?? "", reason, images, builtCacheId };
  }

  /** Has a cache made of the pod's images where none has them all. */
  #madeBehind(choice: PodImageCache): PodImageCache {
    if (!wantsCacheMade(choice)) return choice;
    const { caches, newId, log } = this.#deps;
    const references = choice.images.map(({ reference }) => reference).slice(0, maxMadeImages);
    const made = caches.list().filter(({ origin, phase }) => origin === "pod" && phase !== "Failed");
    // Pods of one kind come in numbers: the cache that the first one began is the others' as well.
    const covering = made.find((cache) => references.every((reference) => cache.spec.images.includes(reference)));
    if (covering !== undefined) {
      if (!isUnderWay(covering)) caches.update(covering.id, covering.spec);
      return { ...choice, builtCacheId: covering.id };
    }
    const own = made.find(({ id }) => id === choice.builtCacheId);
    if (own !== undefined) {
      const images = [...new Set([...own.spec.images, ...references])].slice(-maxMadeImages);
      caches.update(own.id, { ...own.spec, images });
      return choice;
    }
    try {
      const spec: ImageCacheRecord["spec"] = {
        images: references,
        imagePullSecrets: [],
        imageCacheSize: madeSizeGib,
        reuse: false,
        eliminationStrategy: "LRU",
      };
      const { id } = caches.create({ name: `auto-${newId().slice(0, 12)}`, origin: "pod", spec });
      return { ...choice, builtCacheId: id };
    } catch (error) {
      log.warn({ error: errorText(error) }, "no image cache can be made of a pod's images");
      return choice;
    }
  }

  #wanted(reference: string): WantedImage {
    return { reference, chainIds: this.#deps.onNode(reference)?.chainIds };
  }
}

/** The image's name as the container asks for it, or, for an id, the first it has; undefined for one without any. */
function nameOf(name: string, { tags, digests }: ImageRecord): string | undefined {
  const names = [...tags, ...digests];
  try {
    const full = fullReference(name);
    if (names.includes(full)) return full;
  } catch {
    // An id or what else is no reference.
  }
  return names[0];
}

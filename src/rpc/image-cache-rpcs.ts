import type { AdminServiceHandlers } from "../generated/podling/v1/AdminService.ts";
import type { ImageCache } from "../generated/podling/v1/ImageCache.ts";
import type { ImageCacheChange } from "../generated/podling/v1/ImageCacheChange.ts";
import type { ImageCacheSpec__Output } from "../generated/podling/v1/ImageCacheSpec.ts";
import type { ImageRegistryCredential__Output } from "../generated/podling/v1/ImageRegistryCredential.ts";
import type { ImageCaches, ImageCacheView } from "../images/caches/image-caches.ts";
import type { CacheRequest } from "../images/caches/plan-image-cache.ts";
import { readCacheName, readCacheSpec } from "../images/caches/read-cache-request.ts";
import type { RegistryCredentials } from "../images/registry-credentials.ts";
import type { CallContext } from "./call-context.ts";
import { checkName } from "./field-checks.ts";
import { invalid, missing } from "./field-error.ts";
import { LatestQueue } from "./latest-queue.ts";
import type { Rpcs } from "./serve.ts";

export interface ImageCacheRpcDeps {
  readonly imageCaches: Pick<ImageCaches, "create" | "get" | "list" | "delete" | "onChange">;
}

const maxCredentials = 10;
/** Changes that wait for one slow watcher: as many as there may be caches. */
const watcherLimit = 10_000;

/** The part of AdminService that is about image caches. Disposing it ends the watches. */
export function imageCacheRpcs({ imageCaches }: ImageCacheRpcDeps) {
  const queues = new Set<LatestQueue<ImageCacheChange>>();

  async function* watch(wanted: string, { signal }: CallContext): AsyncGenerator<ImageCacheChange, void> {
    const id = wanted === "" ? "" : imageCaches.get(checkName("image_cache", wanted)).id;
    const queue = new LatestQueue<ImageCacheChange>(watcherLimit);
    const close = () => queue.close();
    const push = (cache: Parameters<Parameters<typeof imageCaches.onChange>[0]>[0]) => {
      if (id !== "" && cache.id !== id) return;
      const gone = "gone" in cache;
      queue.push(
        cache.id,
        gone ? { image_cache: { image_cache_id: cache.id }, deleted: true } : { image_cache: encode(cache) },
      );
    };
    for (const cache of imageCaches.list()) push(cache);
    using _listening = imageCaches.onChange(push);
    queues.add(queue);
    signal.addEventListener("abort", close, { once: true });
    if (signal.aborted) close();
    try {
      for await (const change of queue.values()) {
        // A watcher that goes away ends its call; nothing failed.
        if (signal.aborted) return;
        yield change;
      }
    } finally {
      queues.delete(queue);
      signal.removeEventListener("abort", close);
    }
  }

  const rpcs = {
    CreateImageCache: ({ name, spec, image_registry_credentials }) => {
      if (name === "") throw missing("name");
      if (spec === null) throw missing("spec");
      const request: CacheRequest = { name: readCacheName(name), origin: "admin", spec: decodeSpec(spec) };
      return encode(imageCaches.create(request, decodeCredentials(image_registry_credentials)));
    },
    GetImageCache: ({ image_cache }) => encode(imageCaches.get(checkName("image_cache", image_cache))),
    ListImageCaches: () => ({ image_caches: imageCaches.list().map(encode) }),
    DeleteImageCache: async ({ image_cache }) => {
      await imageCaches.delete(checkName("image_cache", image_cache));
      return {};
    },
    WatchImageCaches: ({ image_cache }, context) => watch(image_cache, context),
  } satisfies Partial<Rpcs<AdminServiceHandlers>>;

  return {
    rpcs,
    [Symbol.dispose]: () => {
      for (const queue of queues) queue.close();
    },
  };
}

function decodeSpec(spec: ImageCacheSpec__Output): CacheRequest["spec"] {
  const { images, image_pull_secrets, image_cache_size, retention_days, reuse, elimination_strategy } = spec;
  if (elimination_strategy !== "" && elimination_strategy !== "LRU") {
    throw invalid("spec.elimination_strategy", elimination_strategy, 'must be "LRU" or empty');
  }
  const read = {
    images,
    imagePullSecrets: image_pull_secrets,
    ...(image_cache_size !== 0 && { imageCacheSize: image_cache_size }),
    ...(retention_days !== 0 && { retentionDays: retention_days }),
  };
  return {
    ...readCacheSpec(read, (path) => `spec.${snakeCase(path)}`),
    reuse,
    eliminationStrategy: elimination_strategy,
  };
}

function decodeCredentials(credentials: readonly ImageRegistryCredential__Output[]): readonly RegistryCredentials[] {
  if (credentials.length > maxCredentials) {
    throw invalid("image_registry_credentials", `${credentials.length} entries`, `must be at most ${maxCredentials}`);
  }
  return credentials.map(({ server, user_name, password }, index) => {
    if (server === "") throw missing(`image_registry_credentials[${index}].server`);
    if (user_name === "") throw missing(`image_registry_credentials[${index}].user_name`);
    return { serverAddress: server, username: user_name, password };
  });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function encode(cache: ImageCacheView): ImageCache {
  const { spec, events, images, gathered } = cache;
  return {
    image_cache_id: cache.id,
    name: cache.name,
    origin: cache.origin,
    spec: {
      images: [...spec.images],
      image_pull_secrets: [...spec.imagePullSecrets],
      image_cache_size: spec.imageCacheSize,
      retention_days: spec.retentionDays ?? 0,
      reuse: spec.reuse,
      elimination_strategy: spec.eliminationStrategy,
    },
    phase: cache.phase,
    progress: `${cache.progressPercent}%`,
    start_time: cache.startTime,
    last_update_time: cache.lastUpdateTime,
    expire_date_time: cache.expireDateTime,
    last_matched_time: cache.lastMatchedTime,
    events: events.map(({ type, reason, message, count, firstTimestamp, lastTimestamp }) => ({
      type,
      reason,
      message,
      count,
      first_timestamp: firstTimestamp,
      last_timestamp: lastTimestamp,
    })),
    images: [...images, ...gathered].map(({ reference, image }) => ({
      reference,
      id: image.id,
      layers: image.chainIds.length,
      size_bytes: String(image.sizeBytes),
    })),
  };
}

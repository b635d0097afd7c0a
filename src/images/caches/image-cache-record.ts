import { z } from "zod";
import { imageCacheNameSchema, imageCacheSpecSchema } from "../../manifests/image-cache.ts";
import { decodeImageRecord, type ImageRecord } from "../image-record.ts";

/**
 * ```
 *   Preparing ──► Creating ──► Ready ◄──► Updating ──► UpdateFailed ──► Updating
 *                    │           │
 *                    ▼           └── deleted, expired or eliminated ──► record gone
 *                 Failed ── deleted, replaced or a day old ──► record gone
 * ```
 * Preparing waits for its turn. Only Ready serves pods; Updating and UpdateFailed keep what they had.
 */
export const imageCachePhases = ["Preparing", "Creating", "Ready", "Failed", "Updating", "UpdateFailed"] as const;
export type ImageCachePhase = (typeof imageCachePhases)[number];

const spec = imageCacheSpecSchema.extend({
  /** Whether images of Ready caches are taken over without asking their registries. */
  reuse: z.boolean(),
  /** "LRU": may go when there is no room for another cache. */
  eliminationStrategy: z.enum(["", "LRU"]),
});

const event = z.object({
  type: z.enum(["Normal", "Warning"]),
  reason: z.string(),
  message: z.string(),
  count: z.int().positive(),
  firstTimestamp: z.string(),
  lastTimestamp: z.string(),
});

const cachedImage = z.object({
  /** The full reference that the spec's entry stands for. */
  reference: z.string(),
  image: z.unknown().transform((value): ImageRecord => decodeImageRecord(value)),
});

const schema = z.object({
  id: z.string().regex(/^imc-[a-z0-9]{20}$/),
  name: imageCacheNameSchema,
  /** Who wants it: a manifest, an operator's call, or a pod that found no cache for its images. */
  origin: z.enum(["manifest", "admin", "pod"]),
  spec,
  phase: z.enum(imageCachePhases),
  /** ISO 8601, as all times here. */
  startTime: z.string(),
  lastUpdateTime: z.string(),
  /** Empty: never. */
  expireDateTime: z.string(),
  /** When a pod was last given it; empty: no pod was. */
  lastMatchedTime: z.string(),
  events: z.array(event),
  /** What it serves. */
  images: z.array(cachedImage),
  /** What a creation or an update under way has so far. */
  gathered: z.array(cachedImage),
});

export type ImageCacheSpec = z.output<typeof spec>;
export type ImageCacheEvent = z.output<typeof event>;
/** An image that a cache keeps: its layers, its documents, and what the catalogue needs to have it again. */
export type CachedImage = z.output<typeof cachedImage>;
/** The durable truth about one cache of images. */
export type ImageCacheRecord = z.output<typeof schema>;

/** Checks a record that the disk gave back. @throws ZodError or AgentError */
export function decodeImageCache(value: unknown): ImageCacheRecord {
  return schema.parse(value);
}

/** Every image the cache keeps from being removed. */
export function keptImages({ images, gathered }: ImageCacheRecord): readonly ImageRecord[] {
  return [...images, ...gathered].map(({ image }) => image);
}

/** Whether something is still to be done for it. */
export function isUnderWay({ phase }: ImageCacheRecord): boolean {
  return phase === "Preparing" || phase === "Creating" || phase === "Updating";
}

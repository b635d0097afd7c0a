import type { ImageCache__Output } from "../generated/podling/v1/ImageCache.ts";
import { alignCells, type Columns, durationText, printable, sizeText } from "./output.ts";

/** A cache, as `podling caches ls -o json` prints it: the resource's own field names. */
export interface CacheRow {
  readonly imageCacheId: string;
  readonly name: string;
  readonly origin: string;
  readonly spec: {
    readonly images: readonly string[];
    readonly imagePullSecrets: readonly string[];
    readonly imageCacheSize: number;
    /** 0: for ever. */
    readonly retentionDays: number;
    readonly reuse: boolean;
    readonly eliminationStrategy: string;
  };
  readonly phase: string;
  readonly progress: string;
  readonly startTime: string;
  readonly lastUpdateTime: string;
  readonly expireDateTime: string;
  readonly lastMatchedTime: string;
  readonly events: readonly CacheEventRow[];
  readonly images: readonly {
    readonly reference: string;
    readonly id: string;
    readonly layers: number;
    readonly sizeBytes: number;
  }[];
}

interface CacheEventRow {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
}

export function cacheRow(cache: ImageCache__Output): CacheRow {
  const { spec } = cache;
  return {
    imageCacheId: cache.image_cache_id,
    name: cache.name,
    origin: cache.origin,
    spec: {
      images: spec?.images ?? [],
      imagePullSecrets: spec?.image_pull_secrets ?? [],
      imageCacheSize: spec?.image_cache_size ?? 0,
      retentionDays: spec?.retention_days ?? 0,
      reuse: spec?.reuse ?? false,
      eliminationStrategy: spec?.elimination_strategy ?? "",
    },
    phase: cache.phase,
    progress: cache.progress,
    startTime: cache.start_time,
    lastUpdateTime: cache.last_update_time,
    expireDateTime: cache.expire_date_time,
    lastMatchedTime: cache.last_matched_time,
    events: cache.events.map(({ type, reason, message, count, first_timestamp, last_timestamp }) => ({
      type,
      reason,
      message,
      count,
      firstTimestamp: first_timestamp,
      lastTimestamp: last_timestamp,
    })),
    images: cache.images.map(({ reference, id, layers, size_bytes }) => ({
      reference,
      id,
      layers,
      sizeBytes: Number(size_bytes),
    })),
  };
}

/** @param nowMs for the age */
export function cacheColumns(nowMs: number): Columns<CacheRow> {
  return [
    ["NAME", ({ name }) => name],
    ["AGE", ({ startTime }) => durationText(Math.max(0, nowMs - Date.parse(startTime)))],
    ["CACHEID", ({ imageCacheId }) => imageCacheId],
    ["PHASE", ({ phase }) => phase],
    ["PROGRESS", ({ progress }) => progress],
    ["IMAGES", ({ spec }) => String(spec.images.length)],
    ["SIZE", ({ images }) => sizeText(images.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))],
  ];
}

/** One cache whole, for people. */
export function cacheText(cache: CacheRow): string {
  const { spec } = cache;
  const facts: readonly (readonly [string, string])[] = [
    ["Name:", cache.name],
    ["Id:", cache.imageCacheId],
    ["Made for:", cache.origin],
    ["Phase:", `${cache.phase}, ${cache.progress}`],
    ["Size limit:", `${spec.imageCacheSize} GiB`],
    ["Elimination:", spec.eliminationStrategy || "never"],
    ["Started:", cache.startTime],
    ["Changed:", cache.lastUpdateTime],
    ["Expires:", cache.expireDateTime || "never"],
    ["Last given:", cache.lastMatchedTime || "never"],
  ];
  const held = new Map(cache.images.map((image) => [image.reference, image]));
  const images = cache.images.map(({ reference, layers, sizeBytes }) => [
    reference,
    `${layers} layers`,
    sizeText(sizeBytes),
  ]);
  const missing = held.size === 0 ? spec.images.map((image) => [image, "not there", ""]) : [];
  const events = cache.events.map(({ lastTimestamp, type, reason, count, message }) => [
    lastTimestamp,
    type,
    count > 1 ? `${reason} (${count} times)` : reason,
    message,
  ]);
  return [section(facts), "Images:\n", section([...images, ...missing]), "Events:\n", section(events)].join("");
}

function section(rows: readonly (readonly string[])[]): string {
  return alignCells(rows.map((row) => row.map(printable)));
}

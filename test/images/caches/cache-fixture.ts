import { createHash } from "node:crypto";
import { type Digest, parseDigest } from "../../../src/common/ids.ts";
import type { CachedImage, ImageCacheRecord, ImageCacheSpec } from "../../../src/images/caches/image-cache-record.ts";
import type { ImageRecord } from "../../../src/images/image-record.ts";

export const digestOf = (text: string): Digest =>
  parseDigest(`sha256:${createHash("sha256").update(text).digest("hex")}`);

export const cacheSpec: ImageCacheSpec = {
  images: ["reg.example/app:1"],
  imagePullSecrets: [],
  imageCacheSize: 20,
  reuse: false,
  eliminationStrategy: "",
};

/** An image of these layers, lowest first, each named by what is in it and all below. */
export function imageOf(reference: string, layers: readonly string[], sizeBytes = 1000): ImageRecord {
  return {
    id: digestOf(`image ${layers.join(" ")}`),
    tags: [reference],
    digests: [`${reference.slice(0, reference.lastIndexOf(":"))}@${digestOf(`manifest ${layers.join(" ")}`)}`],
    chainIds: chainsOf(layers),
    sizeBytes,
    config: {
      user: "",
      env: [],
      entrypoint: [],
      cmd: [],
      workingDir: "",
      stopSignal: "",
      volumes: [],
      labels: {},
      architecture: "amd64",
      os: "linux",
    },
    pinned: false,
    annotations: {},
    createdAt: "2026-01-01T00:00:00.000Z",
    contentDigests: [digestOf(`content ${layers.join(" ")}`)],
  };
}

export function chainsOf(layers: readonly string[]): readonly Digest[] {
  return layers.map((_, index) => digestOf(layers.slice(0, index + 1).join(" ")));
}

export function cachedOf(reference: string, layers: readonly string[], sizeBytes = 1000): CachedImage {
  return { reference, image: imageOf(reference, layers, sizeBytes) };
}

/** A Ready cache. @param number makes its id, and its age: a higher one is newer */
export function cacheOf(number: number, change: Partial<ImageCacheRecord> = {}): ImageCacheRecord {
  const time = new Date(Date.UTC(2026, 0, 1) + number * 60_000).toISOString();
  return {
    id: `imc-${String(number).padStart(20, "0")}`,
    name: `cache-${number}`,
    origin: "admin",
    spec: cacheSpec,
    phase: "Ready",
    startTime: time,
    lastUpdateTime: time,
    expireDateTime: "",
    lastMatchedTime: "",
    events: [],
    images: [],
    gathered: [],
    ...change,
  };
}

import { AgentError } from "../../common/errors.ts";
import { fullReference } from "./plan-image-cache.ts";

const prefix = "k8s.aliyun.com/";
/** CRI tells a pod's images only one by one: whoever knows them before can say so here, parted by commas. */
const imagesKey = "podling.dev/container-images";
/** As many as a pod may have containers. */
const maxImages = 20;

/** What a pod's annotations ask of image caches. */
export interface CacheWish {
  /** The id of one cache; empty: none in particular. It outranks all else. */
  readonly cacheId: string;
  /** Whether the best cache is looked for. */
  readonly auto: boolean;
  /** Whether only a cache that has all images whole will do. */
  readonly perfectMatch: boolean;
  /** How many images a cache must have whole. */
  readonly matchCount: number;
  /** The pod's images as far as they were said beforehand, in full. */
  readonly images: readonly string[];
}

/**
 * Reads the annotations, the older names of two of them as well.
 * @returns undefined when they ask for nothing
 * @throws AgentError InvalidArgument naming the annotation
 */
export function readCacheWish(annotations: Readonly<Record<string, string>>): CacheWish | undefined {
  const textOf = (key: string) => (Object.hasOwn(annotations, key) ? annotations[key] : undefined);
  const flagOf = (key: string) => readFlag(`${prefix}${key}`, textOf(`${prefix}${key}`));
  const idKey = textOf(`${prefix}eci-imc-id`) === undefined ? "eci-image-snapshot-id" : "eci-imc-id";
  const cacheId = textOf(`${prefix}${idKey}`)?.trim() ?? "";
  if (cacheId !== "" && !/^imc-[a-z0-9]{1,60}$/.test(cacheId)) {
    throw refused(`${prefix}${idKey}`, cacheId, 'must be the id of an image cache, "imc-…"');
  }
  const auto = flagOf("eci-auto-imc") ?? flagOf("eci-image-cache") ?? false;
  const perfectMatch = flagOf("imc-perfect-match") ?? false;
  const matchCount = readCount(`${prefix}imc-match-count-request`, textOf(`${prefix}imc-match-count-request`));
  if (cacheId === "" && !auto) return undefined;
  return { cacheId, auto, perfectMatch, matchCount, images: readImages(textOf(imagesKey)) };
}

function readFlag(key: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (text === "true" || text === "false") return text === "true";
  throw refused(key, text, 'must be "true" or "false"');
}

function readCount(key: string, text: string | undefined): number {
  if (text === undefined) return 0;
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw refused(key, text, "must be a whole number from 0 to 99");
}

function readImages(text: string | undefined): readonly string[] {
  const names = (text ?? "").split(",").map((name) => name.trim());
  const images = [...new Set(names.filter((name) => name !== ""))];
  if (images.length > maxImages) throw refused(imagesKey, `${images.length} images`, `must be at most ${maxImages}`);
  try {
    return images.map(fullReference);
  } catch (cause) {
    throw new AgentError("InvalidArgument", `Invalid annotation ${imagesKey}`, { cause });
  }
}

function refused(key: string, value: string, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid annotation ${key} ${JSON.stringify(value.slice(0, 200))}: ${want}`);
}

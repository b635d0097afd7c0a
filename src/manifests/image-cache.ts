import { z } from "zod";
import type { Manifest } from "./manifest.ts";
import { readPart } from "./manifest-fault.ts";

export const imageCacheApiVersion = "eci.alibabacloud.com/v1";

const flag = z.enum(["true", "false"], 'must be "true" or "false"');

/** Names of caches, as Kubernetes has them. */
export const imageCacheNameSchema = z
  .string("must be text")
  .regex(
    /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/,
    "must be 1 to 253 of a-z, 0-9, - and ., beginning and ending with a letter or digit",
  );

/** The spec of an ImageCache; limits are the cloud's. */
export const imageCacheSpecSchema = z.strictObject(
  {
    images: z
      .array(z.string("must be an image reference").min(1, "must be an image reference"), "must be a list of images")
      .min(1, "must name an image at least")
      .max(20, "must be at most 20 images"),
    imagePullSecrets: z
      .array(
        z.string("must be text").regex(/^[^:]+:[^:]+$/, "must be namespace:secretName"),
        "must be a list of secrets",
      )
      .max(10, "must be at most 10 secrets")
      .default([]),
    imageCacheSize: z
      .int("must be a whole number of GiB")
      .min(20, "must be 20 GiB or more")
      .max(32_768, "must be at most 32768 GiB")
      .default(20),
    retentionDays: z
      .int("must be a whole number of days")
      .min(1, "must be 1 day or more, left out for ever")
      .max(65_536, "must be at most 65536 days")
      .optional(),
  },
  "must be an ImageCache's spec",
);

/** An ImageCache as an operator wrote it. Field names of the spec are the resource's own. */
export interface ImageCacheManifest {
  readonly name: string;
  readonly spec: z.output<typeof imageCacheSpecSchema>;
  /** Whether images of existing caches are taken over as they are. */
  readonly reuse: boolean;
}

const annotationsSchema = z
  .looseObject({ "k8s.aliyun.com/imc-enable-reuse": flag.default("false") }, "must be text by key")
  .default({ "k8s.aliyun.com/imc-enable-reuse": "false" });

/**
 * Reads an ImageCache; a status in it is let be.
 * @throws AgentError InvalidArgument naming file, line and field
 */
export function parseImageCache(manifest: Manifest): ImageCacheManifest {
  const annotations = readPart(manifest, ["metadata", "annotations"], annotationsSchema);
  return {
    name: readPart(manifest, ["metadata", "name"], imageCacheNameSchema),
    spec: readPart(manifest, ["spec"], imageCacheSpecSchema),
    reuse: annotations["k8s.aliyun.com/imc-enable-reuse"] === "true",
  };
}

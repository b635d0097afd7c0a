import type { z } from "zod";
import { AgentError } from "../../common/errors.ts";
import { imageCacheNameSchema, imageCacheSpecSchema } from "../../manifests/image-cache.ts";

/** @throws AgentError InvalidArgument */
export function readCacheName(name: string): string {
  return read(imageCacheNameSchema, name, () => "name");
}

/**
 * A spec by the rules that manifests have.
 * @param fieldName what the caller calls a field, by its path such as "images[0]"
 * @throws AgentError InvalidArgument
 */
export function readCacheSpec(
  spec: z.input<typeof imageCacheSpecSchema>,
  fieldName: (path: string) => string,
): z.output<typeof imageCacheSpecSchema> {
  return read(imageCacheSpecSchema, spec, fieldName);
}

function read<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  fieldName: (path: string) => string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const keys = issue?.path ?? [];
  const path = keys.map((key, index) =>
    typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`,
  );
  const at = keys.reduce<unknown>((part, key) => (part as Readonly<Record<PropertyKey, unknown>>)[key], value);
  const shown = JSON.stringify(typeof at === "string" ? at.slice(0, 200) : at) ?? "";
  const quoted = shown.length > 300 ? "" : ` ${shown}`;
  throw new AgentError(
    "InvalidArgument",
    `Invalid ${fieldName(path.join(""))}${quoted}: ${issue?.message ?? "not understood"}`,
  );
}

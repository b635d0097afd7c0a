import type { z } from "zod";
import { AgentError } from "../common/errors.ts";
import type { Manifest } from "./manifest.ts";

/** A fault at one part of a manifest, as "file:line: PodNetworking "a": Invalid spec.vSwitchOptions: …". */
export function manifestFault(manifest: Manifest, path: readonly PropertyKey[], message: string): AgentError {
  const owner = `${manifest.kind} ${JSON.stringify(manifest.name)}`;
  const field = path.length === 0 ? "" : `Invalid ${fieldName(path)}: `;
  return new AgentError("InvalidArgument", `${manifest.where(path)}: ${owner}: ${field}${message}`);
}

/**
 * Reads a part of a manifest by a schema.
 * @param path of the part in the manifest
 * @throws AgentError InvalidArgument for the first fault, with its line
 */
export function readPart<Schema extends z.ZodType>(
  manifest: Manifest,
  path: readonly PropertyKey[],
  schema: Schema,
): z.output<Schema> {
  let part: unknown = manifest.body;
  for (const key of path) part = (part as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key];
  const result = schema.safeParse(part);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue?.code === "unrecognized_keys") {
    throw manifestFault(manifest, [...path, ...issue.path, issue.keys[0] ?? ""], "no field of that name is known");
  }
  throw manifestFault(manifest, [...path, ...(issue?.path ?? [])], issue?.message ?? "not understood");
}

function fieldName(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`))
    .join("");
}

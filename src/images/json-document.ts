import { AgentError } from "../common/errors.ts";
import { type Digest, parseDigest } from "../common/ids.ts";
import { faultOfShape } from "./json-shape.ts";

/** A JSON object of unknown make, read field by field. Its keys are an attacker's; it is never spread or copied whole. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads the bytes of a registry's document.
 * @param what names it in errors, such as `manifest "sha256:…"`
 * @throws AgentError FailedPrecondition for anything but one UTF-8 JSON object without a byte order mark, nested 64 deep at most, and for an object
 *   in it that names a field twice: of two readers each might take another
 */
export function parseJsonDocument(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    const fault = faultOfShape(text);
    if (fault !== undefined) throw malformed(what, fault);
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof AgentError) throw error;
    // The parser's own message quotes the document, which does not belong into errors.
    throw malformed(what, "is not JSON in UTF-8");
  }
  return readObject(value, what);
}

export function readObject(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(what, "must be an object");
  return value as JsonObject;
}

/** A field's own value; what Object.prototype has under the name does not count. */
export function field(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** A string without NUL; absent and null count as empty. */
export function readText(object: JsonObject, name: string, what: string): string {
  const value = field(object, name) ?? "";
  if (typeof value !== "string" || value.includes("\0"))
    throw malformed(`${what}, ${name}`, "must be a string without NUL");
  return value;
}

/** A list of at most `max` elements; absent and null count as empty. */
export function readList(object: JsonObject, name: string, what: string, max: number): readonly unknown[] {
  const value = field(object, name) ?? [];
  if (!Array.isArray(value)) throw malformed(`${what}, ${name}`, "must be a list");
  if (value.length > max) throw malformed(`${what}, ${name}`, `has ${value.length} elements, more than ${max}`);
  return value;
}

export function readTextList(object: JsonObject, name: string, what: string, max: number): readonly string[] {
  return readList(object, name, what, max).map((value) => {
    if (typeof value === "string" && !value.includes("\0")) return value;
    throw malformed(`${what}, ${name}`, "must hold strings without NUL");
  });
}

/** A map of strings without a prototype, so that no key finds what it did not hold. Absent and null count as empty. */
export function readTextMap(
  object: JsonObject,
  name: string,
  what: string,
  maxBytes: number,
): Readonly<Record<string, string>> {
  const map: Record<string, string> = Object.create(null);
  let bytes = 0;
  for (const [key, value] of Object.entries(readObject(field(object, name) ?? {}, `${what}, ${name}`))) {
    if (typeof value !== "string") throw malformed(`${what}, ${name}`, "must hold strings");
    bytes += key.length + value.length;
    if (bytes > maxBytes) throw malformed(`${what}, ${name}`, `is longer than ${maxBytes} characters`);
    map[key] = value;
  }
  return map;
}

/** A count of bytes: a whole number from 0 to 2^53 - 1. */
export function readSize(object: JsonObject, name: string, what: string): number {
  const value = field(object, name);
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
    throw malformed(`${what}, ${name}`, "must be a whole number, 0 or more");
  }
  return value;
}

export function readDigest(value: unknown, what: string): Digest {
  try {
    return parseDigest(typeof value === "string" ? value : "");
  } catch (cause) {
    throw new AgentError("FailedPrecondition", `Malformed ${what}`, { cause });
  }
}

export function malformed(what: string, why: string): AgentError {
  return new AgentError("FailedPrecondition", `Malformed ${what}: ${why}`);
}

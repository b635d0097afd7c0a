import { posix } from "node:path";
import { invalid, missing } from "./field-error.ts";

/** Longest path Linux takes, with its NUL. */
const pathMax = 4096;
/** Kubernetes' own bound for all annotations of an object. */
const maxMapBytes = 256 * 1024;
/** Longest delay a Node timer can wait, 24.8 days. */
export const maxTimerMs = 2 ** 31 - 1;

/** Text without control characters, of a length a name may have. */
export function checkName(field: string, text: string): string {
  if (text === "") throw missing(field);
  if (text.length > 253) throw invalid(field, text, "must have at most 253 characters");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) throw invalid(field, text, "must not contain control characters");
  return text;
}

/** Text that ends up in an argument vector or an environment: it can't hold a NUL. */
export function checkNoNul(field: string, text: string): string {
  if (text.includes("\0")) throw invalid(field, text, "must not contain NUL");
  return text;
}

/** An absolute path with no "." or ".." in it, as given. */
export function checkAbsolutePath(field: string, path: string): string {
  checkNoNul(field, path);
  if (!path.startsWith("/")) throw invalid(field, path, "must be an absolute path");
  return checkComponents(field, path);
}

/** A relative path that stays below where it starts, as given. */
export function checkRelativePath(field: string, path: string): string {
  checkNoNul(field, path);
  if (path.startsWith("/")) throw invalid(field, path, "must be a relative path");
  return checkComponents(field, path);
}

function checkComponents(field: string, path: string): string {
  if (Buffer.byteLength(path) >= pathMax) throw invalid(field, path, `must be shorter than ${pathMax} bytes`);
  if (path.split("/").some((part) => part === ".." || part === ".")) {
    throw invalid(field, path, 'must not contain "." or ".." components');
  }
  return path;
}

/** The path with repeated and trailing slashes gone, for comparing. */
export function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith("/") ? clean.slice(0, -1) : clean;
}

/** A 64-bit number of the wire within bounds that a JavaScript number holds exactly. */
export function checkInteger(field: string, value: string | number, min: number, max: number): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < min || number > max) {
    throw invalid(field, String(value), `must be a whole number from ${min} to ${max}`);
  }
  return number;
}

/** Seconds of the wire as milliseconds, cut to what a timer can wait. 0 stays 0. */
export function decodeTimeout(field: string, seconds: string): number {
  const count = BigInt(seconds);
  if (count < 0n) throw invalid(field, seconds, "must be 0 or more seconds");
  return Math.min(Number(count) * 1000, maxTimerMs);
}

/**
 * A map of the wire, its keys sorted: Go clients write maps in random order, and a repeated request has to decode to
 * the same text.
 */
export function decodeMap(field: string, map: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const entries = Object.entries(map);
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  if (bytes > maxMapBytes) throw invalid(field, `${bytes} bytes`, `must have at most ${maxMapBytes} bytes`);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

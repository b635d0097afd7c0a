import { isAbsolute, normalize } from "node:path";
import { z } from "zod";
import { parseDuration } from "./common/duration.ts";
import { isLoopbackHost } from "./common/loopback.ts";

/** The forms that single values of a configuration have. Messages say what would be right. */

/** Linux: sun_path holds 108 bytes, the last of them 0 (man unix(7)). */
const longestSocketPath = 107;
export const absolutePath = text("an absolute path", (path) => isAbsolute(path) && !path.includes("\0")).transform(
  (path) => (path === "/" ? path : normalize(path).replace(/\/$/, "")),
);
export const optionalPath = z.union([z.literal(""), absolutePath], {
  error: "must be an absolute path, empty for none",
});
export const socketPath = z
  .string("must be a socket's absolute path")
  .transform((address) => address.replace(/^unix:(?:\/\/)?(?=\/)/, ""))
  .pipe(absolutePath)
  .refine((path) => Buffer.byteLength(path) <= longestSocketPath, {
    error: `must be at most ${longestSocketPath} bytes: Linux takes no longer socket path`,
  });
export const listenAddress = text('"host:port", IPv6 hosts in brackets', isListenAddress);
export const program = text("a program's name or absolute path", isProgram);
export const id = text("1 to 63 of a-z, 0-9 and -, starting with a letter or digit", (name) =>
  /^[a-z0-9][a-z0-9-]{0,62}$/.test(name),
);
export const flag = z.boolean("must be true or false");
export const ipv6Range = z.string('must be text such as "fd00:88::/56", empty for none').default("");
export const filled = text("text that is not empty", (value) => value !== "");

export const apiUrl = text('an https URL such as "https://cr.{region}.aliyuncs.com", without path', (value) => {
  const url = URL.parse(value.replaceAll("{region}", "region"));
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopbackHost(url.hostname));
  return isSafe && isOrigin(url);
}).transform(withoutSlash);
export const metadataUrl = text('an http URL such as "http://100.100.100.200", without path', (value) => {
  const url = URL.parse(value);
  return url?.protocol === "http:" && isOrigin(url);
}).transform(withoutSlash);
export const percent = z
  .int("must be a whole number of percent")
  .min(1, "must be 1 or more")
  .max(100, "must be at most 100");
export const duration = text('a duration such as "2m" or "168h", at most "8760h"', (value) => {
  const durationMs = parseDuration(value);
  return durationMs !== undefined && durationMs <= 8760 * 3_600_000;
}).transform((value) => parseDuration(value) ?? 0);

/** Bytes of a Kubernetes quantity such as "30Gi", "1.5G" or "1048576", or undefined. */
export function parseSize(quantity: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(?:([kMGTP])(i?)|Ki)?$/.exec(quantity);
  if (match === null) return undefined;
  const binary = match[3] === "i" || quantity.endsWith("Ki");
  const power = quantity.endsWith("Ki") ? 1 : ["", "k", "M", "G", "T", "P"].indexOf(match[2] ?? "");
  if (match[2] === "k" && binary) return undefined;
  const bytes = Math.ceil(Number(match[1]) * (binary ? 1024 : 1000) ** power);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

export function text(want: string, isRight: (value: string) => boolean) {
  return z.string(`must be ${want}`).refine(isRight, `must be ${want}`);
}

export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, "must be a table");
}

/** Known names, some of which no code serves yet. */
export function oneOfBuilt<const Built extends string>(built: readonly Built[], later: readonly string[]) {
  const want = `must be ${built.map((name) => JSON.stringify(name)).join(" or ")}`;
  return z.enum(built, {
    error: ({ input }) => (later.some((name) => name === input) ? `not built yet: ${want}` : want),
  });
}

function isOrigin(url: URL | null): boolean {
  return url !== null && `${url.origin}/` === url.href;
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, "");
}

export function isProgram(name: string): boolean {
  return /^(?:[\w.+-]+|\/[^\0]+)$/.test(name);
}

export function isInstanceName(name: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,15}$/.test(name);
}

export function isListenAddress(address: string): boolean {
  const match = /^(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]*):(\d{1,5})$/.exec(address);
  return match !== null && Number(match[1]) <= 65_535;
}

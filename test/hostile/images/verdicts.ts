import { createHash } from "node:crypto";
import type { ImageVerdict } from "../image-trial.ts";

/** What no image may hold. */
export const refused = (says: RegExp): ImageVerdict => ({ refused: "InvalidArgument", says });
/** What is cut short or not what it is called: another copy may be good. */
export const damaged = (says: RegExp): ImageVerdict => ({ refused: "DataLoss", says });
/** What wants more than an image may have. */
export const oversized = (says: RegExp): ImageVerdict => ({ refused: "ResourceExhausted", says });
/** Documents that no image may have. */
export const malformed = (says: RegExp): ImageVerdict => ({ refused: "FailedPrecondition", says });

/** What containers see below the root, and the root itself unless it is as the builders leave it. */
export const tree = (nodes: Readonly<Record<string, string>>): ImageVerdict => ({ tree: { "": directory, ...nodes } });

export const directory = "directory 755";
/** A file of the builders: what it holds, and what else is special about it. */
export const holds = (content: string, more = "") =>
  `file 644 ${JSON.stringify(content)}${more === "" ? "" : ` ${more}`}`;
export const x = holds("x");
/** What `last` of build.ts makes. */
export const end = holds("last");
/** What `owned` of build.ts makes. */
export const owner = "4242:4242";
export const theirs = `file 777 ${owner} "owned"`;
/** What a file too long to be shown whole looks like. */
export const longText = (content: Uint8Array | string) =>
  `${content.length} bytes ${createHash("sha256").update(content).digest("hex").slice(0, 8)}`;

/** A UTF-8 name as listings have it: a character a byte. */
export const bytesOf = (name: string) => Buffer.from(name).toString("latin1");

/** The directories of a path and all above it, as archives imply them. */
export function directories(path: string): Readonly<Record<string, string>> {
  const names = path.split("/").filter((name) => name !== "");
  return Object.fromEntries(names.map((_, index) => [names.slice(0, index + 1).join("/"), directory]));
}

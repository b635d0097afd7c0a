import { AgentError } from "../common/errors.ts";
import type { ImageRecord } from "./image-record.ts";
import { formatReference, parseReference } from "./reference.ts";

/**
 * The images that the configuration spares from collection: references, or patterns in which `*` stands for any text,
 * held against the full names of images with tag or digest.
 */
export class PinnedReferences {
  readonly #patterns: ReadonlyMap<string, RegExp>;

  /** @throws AgentError InvalidArgument for what is neither reference nor pattern, naming images.gc.pinned[n] */
  constructor(patterns: readonly string[]) {
    this.#patterns = new Map(patterns.map((pattern, index) => [pattern, readPattern(pattern, index)]));
  }

  /** The first pattern that one of the image's names fits, or undefined. */
  match({ tags, digests }: Pick<ImageRecord, "tags" | "digests">): string | undefined {
    const names = [...tags, ...digests];
    for (const [pattern, expression] of this.#patterns) {
      if (names.some((name) => expression.test(name))) return pattern;
    }
    return undefined;
  }
}

function readPattern(pattern: string, index: number): RegExp {
  const name = pattern.includes("*") ? pattern : fullName(pattern, index);
  if (!/^[\w.:/@*[\]-]{1,1024}$/.test(name)) {
    throw refuse(pattern, index, "only characters of references and * are allowed");
  }
  const parts = name.split(/\*+/).map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}

function fullName(reference: string, index: number): string {
  try {
    return formatReference(parseReference(reference));
  } catch (error) {
    throw refuse(reference, index, "must be an image reference, or a pattern with *", error);
  }
}

function refuse(pattern: string, index: number, want: string, cause?: unknown): AgentError {
  const message = `Invalid images.gc.pinned[${index}] ${JSON.stringify(pattern.slice(0, 200))}: ${want}`;
  return new AgentError("InvalidArgument", message, cause === undefined ? undefined : { cause });
}

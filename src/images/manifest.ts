import { AgentError } from "../common/errors.ts";
import type { Digest } from "../common/ids.ts";
import {
  field,
  type JsonObject,
  malformed,
  parseJsonDocument,
  readDigest,
  readList,
  readObject,
  readSize,
  readText,
} from "./json-document.ts";
import { isLayerMediaType } from "./layer-compression.ts";
import { documentKind, isConfigMediaType, specificMediaType } from "./media-types.ts";
import type { Platform } from "./platform.ts";

/** Largest manifest or index read; the distribution spec asks registries to take 4 MiB. */
export const maxManifestBytes = 4 * 1024 * 1024;
/** overlayfs options and several runtimes end near this number. */
const maxLayers = 128;
const maxIndexEntries = 1000;

/** A typed, sized pointer to content. The spec's `urls` and `data` are not read: both would bypass the registry's rules. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Only in an index. */
  readonly platform: Platform | undefined;
}

export type ManifestDocument =
  | { readonly kind: "index"; readonly entries: readonly Descriptor[] }
  | { readonly kind: "image"; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

/**
 * Reads a manifest or index, strictly: its Content-Type, its own mediaType, the descriptor that led to it and its shape
 * must tell one story (CVE-2021-41190).
 * @param expectedType media type of the descriptor that named it, if any
 * @throws AgentError FailedPrecondition when it is malformed or of a kind that cannot be run
 */
export function parseManifest(
  bytes: Uint8Array,
  digest: Digest,
  contentType: string | undefined,
  expectedType?: string,
): ManifestDocument {
  const what = `manifest "${digest}"`;
  const json = parseJsonDocument(bytes, what);
  const kind = kindOf(json, what, [expectedType, specificMediaType(contentType)]);
  if (kind === "index") {
    return { kind, entries: descriptors(json, "manifests", what, maxIndexEntries) };
  }
  const config = descriptor(field(json, "config"), `${what}, config`);
  if (!isConfigMediaType(config.mediaType))
    throw unsupported(what, "config", config.mediaType, "an image's configuration");
  const layers = descriptors(json, "layers", what, maxLayers);
  for (const layer of layers) {
    if (!isLayerMediaType(layer.mediaType))
      throw unsupported(what, "layer", layer.mediaType, "a tar, plain or with gzip or zstd");
  }
  return { kind, config, layers };
}

function kindOf(json: JsonObject, what: string, outside: readonly (string | undefined)[]): "index" | "image" {
  const own = readText(json, "mediaType", what);
  const said = [...outside, own === "" ? undefined : own].filter((type) => type !== undefined);
  const [mediaType, ...others] = new Set(said);
  if (mediaType === undefined) throw malformed(what, "neither it nor its Content-Type says what it is");
  if (others.length > 0) {
    throw malformed(
      what,
      `it is called ${JSON.stringify(mediaType)} and ${JSON.stringify(others[0]?.slice(0, 100))} at once`,
    );
  }
  const kind = documentKind(mediaType);
  const schema1 = kind === "schema1" || field(json, "schemaVersion") === 1;
  if (schema1)
    throw new AgentError(
      "FailedPrecondition",
      `Unsupported ${what}: Docker's schema 1 is not read; push it again as OCI`,
    );
  if (kind !== "index" && kind !== "image")
    throw unsupported(what, "manifest", mediaType, "an OCI or Docker v2 image or index");
  const has = (name: string) => field(json, name) !== undefined;
  const foreign = kind === "index" ? ["config", "layers", "fsLayers"] : ["manifests", "fsLayers"];
  const wrong = foreign.find(has);
  if (wrong !== undefined) throw malformed(what, `an ${kind} must not have "${wrong}"`);
  const needed = kind === "index" ? "manifests" : "layers";
  if (!has(needed)) throw malformed(what, `an ${kind} must have "${needed}"`);
  return kind;
}

function descriptors(json: JsonObject, name: string, what: string, max: number): readonly Descriptor[] {
  return readList(json, name, what, max).map((entry, index) => descriptor(entry, `${what}, ${name}[${index}]`));
}

function descriptor(value: unknown, what: string): Descriptor {
  const json = readObject(value, what);
  return {
    mediaType: readText(json, "mediaType", what),
    digest: readDigest(field(json, "digest"), `${what}, digest`),
    sizeBytes: readSize(json, "size", what),
    platform: platform(field(json, "platform"), `${what}, platform`),
  };
}

function platform(value: unknown, what: string): Platform | undefined {
  if (value === undefined || value === null) return undefined;
  const json = readObject(value, what);
  return {
    os: readText(json, "os", what),
    architecture: readText(json, "architecture", what),
    variant: readText(json, "variant", what),
  };
}

function unsupported(what: string, part: string, mediaType: string, want: string): AgentError {
  const message = `Unsupported ${what}: ${part} media type ${JSON.stringify(mediaType.slice(0, 200))} is not ${want}`;
  return new AgentError("FailedPrecondition", message);
}

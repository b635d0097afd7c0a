import { AgentError } from "../common/errors.ts";
import type { Digest } from "../common/ids.ts";
import type { FetchedDocument } from "./host-client.ts";
import { type ImageConfigDocument, maxConfigBytes, parseImageConfig } from "./image-config.ts";
import { type ManifestDocument, parseManifest } from "./manifest.ts";
import { choosePlatform, type Platform } from "./platform.ts";
import { formatReference, type ImageReference } from "./reference.ts";
import type { RegistryClient } from "./registry-client.ts";

const maxIndexDepth = 3;

/** An image's documents, read and checked, and their bytes for the content store. */
export interface FetchedImage {
  /** Digest the reference stands for: of the index when there is one. */
  readonly resolvedDigest: Digest;
  readonly manifest: ManifestDocument & { readonly kind: "image" };
  readonly manifestBytes: number;
  readonly config: ImageConfigDocument;
  readonly contents: readonly { readonly digest: Digest; readonly bytes: Uint8Array }[];
}

export interface FetchContext {
  readonly client: RegistryClient;
  readonly reference: ImageReference;
  readonly host: Platform;
  /** What the node has of a digest already. */
  readonly readContent: (digest: Digest) => Uint8Array | undefined;
  readonly signal: AbortSignal;
}

/**
 * Goes from a reference through indexes and manifest to the configuration.
 * @throws AgentError NotFound when no entry of an index fits the machine; what the client and the parsers throw
 */
export async function fetchImage({
  client,
  reference,
  host,
  readContent,
  signal,
}: FetchContext): Promise<FetchedImage> {
  const name = formatReference(reference);
  const first = await client.resolve(signal, ({ bytes, digest, contentType }) => {
    parseManifest(bytes, digest, contentType);
  });
  const contents: FetchedDocument[] = [first];
  let document = first;
  let manifest = parseManifest(first.bytes, first.digest, first.contentType);
  for (let depth = 1; manifest.kind === "index"; depth++) {
    if (depth > maxIndexDepth) {
      throw new AgentError("FailedPrecondition", `Image "${name}" nests indexes deeper than ${maxIndexDepth}`);
    }
    const entry = choosePlatform(manifest.entries, host, name);
    const present = readContent(entry.digest);
    document =
      present === undefined
        ? await client.manifest(entry, signal)
        : { bytes: present, digest: entry.digest, contentType: entry.mediaType };
    contents.push(document);
    manifest = parseManifest(document.bytes, document.digest, document.contentType, entry.mediaType);
  }
  const configBytes =
    readContent(manifest.config.digest) ?? (await client.blob(manifest.config, maxConfigBytes, signal));
  return {
    resolvedDigest: first.digest,
    manifest,
    manifestBytes: document.bytes.byteLength,
    config: parseImageConfig(configBytes, manifest.config.digest),
    contents: [...contents, { digest: manifest.config.digest, bytes: configBytes }],
  };
}

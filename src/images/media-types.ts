/** What a manifest's media type says it is. */
export type DocumentKind = "index" | "image" | "schema1";

const documents: Readonly<Record<string, DocumentKind>> = {
  "application/vnd.oci.image.index.v1+json": "index",
  "application/vnd.docker.distribution.manifest.list.v2+json": "index",
  "application/vnd.oci.image.manifest.v1+json": "image",
  "application/vnd.docker.distribution.manifest.v2+json": "image",
  "application/vnd.docker.distribution.manifest.v1+json": "schema1",
  "application/vnd.docker.distribution.manifest.v1+prettyjws": "schema1",
};

const configs: ReadonlySet<string> = new Set([
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
]);

/** The Accept header of a manifest request: what we can read, so that a registry converts nothing. */
export const acceptedDocuments = Object.entries(documents)
  .filter(([, kind]) => kind !== "schema1")
  .map(([mediaType]) => mediaType)
  .join(", ");

export function documentKind(mediaType: string): DocumentKind | undefined {
  return Object.hasOwn(documents, mediaType) ? documents[mediaType] : undefined;
}

export function isConfigMediaType(mediaType: string): boolean {
  return configs.has(mediaType);
}

/** The type without its parameters, in lower case; undefined for the types a careless server gives to everything. */
export function specificMediaType(contentType: string | undefined): string | undefined {
  const bare = (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  return ["", "application/json", "application/octet-stream", "text/plain"].includes(bare) ? undefined : bare;
}

import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip, zstdCompress } from "node:zlib";
import { type TarEntry, writeTar } from "./tar-writer.ts";

export type Compression = "gzip" | "zstd" | "none";

/** One layer, ready to be pushed. */
export interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  /** Digest of the tar inside. */
  readonly diffId: string;
  /** What the registry stores. */
  readonly bytes: Uint8Array;
}

/** The part of an image's config that tests set; see the OCI image specification, "config". */
export interface ImageProcess {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

export interface ImageSpec {
  readonly layers: readonly Layer[];
  readonly config?: ImageProcess;
  /** Default this machine's. */
  readonly architecture?: string;
  /** Which media types the manifest uses. Default "oci". */
  readonly format?: "oci" | "docker";
}

/** A manifest with all it needs beside its layers. */
export interface Image {
  readonly layers: readonly Layer[];
  readonly config: Blob;
  readonly manifest: Blob;
  readonly architecture: string;
}

/** Bytes with a name and a type. */
export interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

const mediaTypes = {
  oci: {
    index: "application/vnd.oci.image.index.v1+json",
    manifest: "application/vnd.oci.image.manifest.v1+json",
    config: "application/vnd.oci.image.config.v1+json",
    layer: {
      gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
      zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
      none: "application/vnd.oci.image.layer.v1.tar",
    },
  },
  docker: {
    index: "application/vnd.docker.distribution.manifest.list.v2+json",
    manifest: "application/vnd.docker.distribution.manifest.v2+json",
    config: "application/vnd.docker.container.image.v1+json",
    layer: {
      gzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
      zstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
      none: "application/vnd.docker.image.rootfs.diff.tar",
    },
  },
} as const;
const compress = {
  gzip: (bytes: Uint8Array) => promisify(gzip)(bytes, { level: 6 }),
  zstd: (bytes: Uint8Array) => promisify(zstdCompress)(bytes),
  none: async (bytes: Uint8Array) => bytes,
};

/** This machine's architecture by its OCI name. */
export const hostArchitecture = process.arch === "x64" ? "amd64" : process.arch;

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** @param content the entries, or a finished tar */
export async function buildLayer(
  content: Iterable<TarEntry> | Uint8Array,
  compression: Compression = "gzip",
): Promise<Layer> {
  const tar = content instanceof Uint8Array ? content : writeTar(content);
  const bytes = await compress[compression](tar);
  return { mediaType: mediaTypes.oci.layer[compression], digest: digestOf(bytes), diffId: digestOf(tar), bytes };
}

export function buildImage(spec: ImageSpec): Image {
  const types = mediaTypes[spec.format ?? "oci"];
  const architecture = spec.architecture ?? hostArchitecture;
  const layers = spec.layers.map((layer) => ({ ...layer, mediaType: sameLayerType(layer, spec.format ?? "oci") }));
  const config = jsonBlob(types.config, {
    created: "2026-01-01T00:00:00Z",
    architecture,
    os: "linux",
    config: spec.config ?? {},
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    history: layers.map(() => ({ created: "2026-01-01T00:00:00Z", created_by: "podling test" })),
  });
  const manifest = jsonBlob(types.manifest, {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: descriptor(config),
    layers: layers.map(descriptor),
  });
  return { layers, config, manifest, architecture };
}

/** An index (manifest list) over images of different platforms. */
export function buildIndex(images: readonly Image[], format: "oci" | "docker" = "oci"): Blob {
  return jsonBlob(mediaTypes[format].index, {
    schemaVersion: 2,
    mediaType: mediaTypes[format].index,
    manifests: images.map((image) => ({
      ...descriptor(image.manifest),
      platform: { os: "linux", architecture: image.architecture },
    })),
  });
}

export function jsonBlob(mediaType: string, content: object): Blob {
  const bytes = Buffer.from(JSON.stringify(content));
  return { mediaType, digest: digestOf(bytes), bytes };
}

function descriptor(blob: Blob): object {
  return { mediaType: blob.mediaType, digest: blob.digest, size: blob.bytes.length };
}

function sameLayerType(layer: Layer, format: "oci" | "docker"): string {
  const entries = Object.entries(mediaTypes.oci.layer) as [Compression, string][];
  const compression = entries.find(([, type]) => type === layer.mediaType)?.[0];
  return compression === undefined ? layer.mediaType : mediaTypes[format].layer[compression];
}

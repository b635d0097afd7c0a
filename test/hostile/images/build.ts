import { constants, gzipSync, zstdCompressSync } from "node:zlib";
import {
  buildImage,
  buildLayer,
  digestOf,
  type Image,
  type ImageProcess,
  type Layer,
} from "../../support/oci-image.ts";
import { endOfArchive, rawEntry, rawTar } from "../../support/raw-tar.ts";
import type { TarEntry } from "../../support/tar-writer.ts";
import type { HostileImage } from "../image-trial.ts";

export const dir = (name: string, more: Partial<TarEntry> = {}): TarEntry => ({ name, type: "directory", ...more });
export const file = (name: string, body = "x", more: Partial<TarEntry> = {}): TarEntry => ({ name, body, ...more });
/** A file that nobody on the host has: owner and mode tell when they land on another. */
export const owned = (name: string, body = "owned"): TarEntry => ({ name, body, mode: 0o777, uid: 4242, gid: 4242 });
export const link = (name: string, target: string): TarEntry => ({ name, type: "hardlink", target });
export const symlink = (name: string, target: string): TarEntry => ({ name, type: "symlink", target });
export const device = (name: string, major: number, minor: number, more: Partial<TarEntry> = {}): TarEntry => ({
  name,
  type: "character",
  device: { major, minor },
  ...more,
});
export const whiteout = (name: string): TarEntry => ({ name });

type Content = readonly TarEntry[] | Buffer;

/** An image of these layers, bottom first, each its entries or a finished archive; plain, so that tests are quick. */
export async function imageOf(...layers: readonly Content[]): Promise<Image> {
  return buildImage({ layers: await Promise.all(layers.map((content) => buildLayer(content, "none"))) });
}

/** An image of one harmless layer whose configuration asks for something. The fields are written as they are. */
export async function configured(config: object, more: object = {}): Promise<Image> {
  const image = buildImage({ layers: [await buildLayer([file("a")], "none")], config: config as ImageProcess });
  return changedConfig(image, (document) => ({ ...document, ...more }));
}

/** The image with another configuration, rightly named by its manifest. */
export function changedConfig(image: Image, change: (config: object) => object | string): Image {
  const changed = change(JSON.parse(Buffer.from(image.config.bytes).toString()));
  const bytes = Buffer.from(typeof changed === "string" ? changed : JSON.stringify(changed));
  const config = { ...image.config, bytes, digest: digestOf(bytes) };
  const manifest = JSON.parse(Buffer.from(image.manifest.bytes).toString());
  manifest.config = { mediaType: config.mediaType, digest: config.digest, size: bytes.length };
  const manifestBytes = Buffer.from(JSON.stringify(manifest));
  return { ...image, config, manifest: { ...image.manifest, bytes: manifestBytes, digest: digestOf(manifestBytes) } };
}

/** A layer whose blob is not what a builder makes of its archive. */
export function layerOf(tar: Uint8Array, blob: Uint8Array, compression: "none" | "gzip" | "zstd"): Layer {
  const suffix = compression === "none" ? "" : `+${compression}`;
  return {
    mediaType: `application/vnd.oci.image.layer.v1.tar${suffix}`,
    digest: digestOf(blob),
    diffId: digestOf(tar),
    bytes: blob,
  };
}

export const gzip = (bytes: Uint8Array) => gzipSync(bytes, { level: 1 });
/** With a checksum at its end, which zstd leaves out by itself. */
export const zstd = (bytes: Uint8Array) => zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

export const octal = (value: number) => value.toString(8).padStart(11, "0");
/** An entry behind what is tried: it tells whether the reader still knows where it is. */
export const last = rawEntry({ name: "last" }, "last");
/** One archive of these parts, with `last` behind them. */
export const one = (...parts: readonly Buffer[]) => [rawTar(...parts, last)];
/** A header and a file whole, hidden in the content of another file. */
export const smuggled = Buffer.concat([rawEntry({ name: "smuggled" }, "owned"), endOfArchive]);

/** An image of these archives or entries. */
export function fixture(
  name: string,
  layers: readonly Content[] | ((canary: string) => readonly Content[]),
  verdict: HostileImage["verdict"],
): HostileImage {
  return { name, build: (canary) => imageOf(...(typeof layers === "function" ? layers(canary) : layers)), verdict };
}

import { AgentError } from "../common/errors.ts";
import { damagedLayer } from "./layer-error.ts";

export type LayerCompression = "none" | "gzip" | "zstd";

const compressions = new Map<string, LayerCompression>([
  ["application/vnd.oci.image.layer.v1.tar", "none"],
  ["application/vnd.oci.image.layer.v1.tar+gzip", "gzip"],
  ["application/vnd.oci.image.layer.v1.tar+zstd", "zstd"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", "none"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "gzip"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", "zstd"],
  ["application/vnd.docker.image.rootfs.diff.tar", "none"],
  ["application/vnd.docker.image.rootfs.diff.tar.gzip", "gzip"],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", "zstd"],
  ["application/vnd.docker.image.rootfs.diff.tar.zstd", "zstd"],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar", "none"],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "gzip"],
]);

/** Whether we can unpack a layer of this type. Encrypted layers and artifacts are not. */
export function isLayerMediaType(mediaType: string): boolean {
  return compressions.has(mediaType);
}

/**
 * How a layer of this media type is compressed.
 * @throws AgentError Unimplemented for a media type we can't unpack
 */
export function compressionOf(mediaType: string): LayerCompression {
  const found = compressions.get(mediaType);
  if (found !== undefined) return found;
  throw new AgentError(
    "Unimplemented",
    `Unsupported layer media type ${JSON.stringify(mediaType.slice(0, 200))}: must be a tar of OCI or Docker, plain, gzip or zstd`,
  );
}

/** How many first bytes {@link checkMagic} wants to see. */
export const magicBytes = 4;

/**
 * Holds the blob's first bytes against what its media type says; nothing else chooses a decoder.
 * @throws AgentError DataLoss
 */
export function checkMagic(compression: LayerCompression, start: Uint8Array): void {
  const word = Buffer.from(start.buffer, start.byteOffset, Math.min(start.byteLength, 4)).toString("hex");
  // RFC 8878: a frame, or one of sixteen kinds of skippable frame (0x184D2A50 to 5F, little-endian).
  const isZstd = word === "28b52ffd" || /^5[0-9a-f]2a4d18$/.test(word);
  const found: LayerCompression = word.startsWith("1f8b") ? "gzip" : isZstd ? "zstd" : "none";
  if (found !== compression) {
    throw damagedLayer(`it starts with bytes ${word} (${found}): its media type says ${compression}`);
  }
}

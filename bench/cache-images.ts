import { randomBytes } from "node:crypto";
import { busyboxLayer } from "../test/support/busybox-image.ts";
import { buildImage, buildLayer, type Image, type Layer } from "../test/support/oci-image.ts";
import type { TarEntry } from "../test/support/tar-writer.ts";

const layerFiles = 100;
const fileBytes = 1_000_000;
/** More than either compression looks back for in no time: layers are quickly built, pushed and pulled. */
const patternBytes = 16_384;

/** Made once a process: the larger images stand on the layers of the smaller ones, as images of one team do. */
const built: Promise<Layer>[] = [];

/**
 * An image of busybox and so many layers of 100 MB, 100 files each.
 * @param count 10 make an image of 1 GB
 */
export async function imageOfLayers(count: number): Promise<Image> {
  for (let number = built.length; number < count; number++) {
    // One at a time: each takes a few hundred MB while it is built.
    const layer = buildLayer(layerEntries(number), "zstd");
    built.push(layer);
    await layer;
  }
  const layers = [await busyboxLayer(), ...(await Promise.all(built.slice(0, count)))];
  return buildImage({ layers, config: { Cmd: ["/bin/sleep", "86400"] } });
}

function* layerEntries(layer: number): Iterable<TarEntry> {
  const pattern = randomBytes(patternBytes);
  yield { name: `data-${layer}/`, type: "directory" };
  for (let file = 0; file < layerFiles; file++) {
    const body = Buffer.alloc(fileBytes, pattern);
    body.write(`${layer} ${file}`);
    yield { name: `data-${layer}/${file}`, body };
  }
}

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { busyboxLayer } from "../test/support/busybox-image.ts";
import { output } from "../test/support/command.ts";
import { buildDebianLayers, buildDebianLayersAsOne, largeImage } from "../test/support/debian-image.ts";
import {
  buildImage,
  buildLayer,
  digestOf,
  type Image,
  type ImageProcess,
  type Layer,
} from "../test/support/oci-image.ts";
import { pushImage } from "../test/support/push-image.ts";
import type { TarEntry } from "../test/support/tar-writer.ts";
import { imageOfLayers } from "./cache-images.ts";
import { cache, registryName } from "./place.ts";

const names = [
  "large-one",
  "large-ten",
  "many-small",
  "cached-100m",
  "cached-1g",
  "cached-5g",
  "pod",
  "pause",
] as const;
export type ImageName = (typeof names)[number];

/** An image in the registry. */
export interface BenchImage {
  readonly reference: string;
  readonly layers: number;
  /** Compressed. */
  readonly sizeBytes: number;
  /** Of the manifest. */
  readonly digest: string;
  /** Names the whole chain of layers (OCI image specification, "Layer ChainID"). */
  readonly topChainId: string;
}

export type BenchImages = Readonly<Record<ImageName, BenchImage>>;

const builders: Readonly<Record<ImageName, () => Promise<Image>>> = {
  /** All files in one gzip layer. */
  "large-one": async () => imageOf([await buildDebianLayersAsOne(largeImage)]),
  /** The same files in ten. */
  "large-ten": async () => imageOf(await buildDebianLayers(largeImage)),
  /** Where making files costs most: a hundred thousand of them, of 256 bytes. */
  "many-small": async () => imageOf([await buildLayer(smallFiles(1000, 100))]),
  "cached-100m": () => imageOfLayers(1),
  "cached-1g": () => imageOfLayers(10),
  "cached-5g": () => imageOfLayers(50),
  pod: async () => imageOf([await busyboxLayer()], { Cmd: ["/bin/sleep", "86400"] }),
  pause: async () => imageOf([await pauseLayer()], { Entrypoint: ["/pause", "-P"] }),
};

/** Makes sure the registry has the images: built and pushed by an earlier run, or now. */
export async function provideImages(host: string, tell: (line: string) => void): Promise<BenchImages> {
  const noted = readNote();
  const found: Partial<Record<ImageName, BenchImage>> = {};
  for (const name of names) {
    const known = noted[name];
    if (known !== undefined && (await isPushed(host, name, known.digest))) {
      found[name] = known;
      continue;
    }
    tell(`building the image "${name}" (only once; the large ones take minutes)`);
    const image = await builders[name]();
    const { digest } = await pushImage({ host, headers: {} }, name, "1", image);
    found[name] = {
      reference: `${registryName}/${name}:1`,
      layers: image.layers.length,
      sizeBytes: image.layers.reduce((sum, { bytes }) => sum + bytes.length, 0),
      digest,
      topChainId: image.layers
        .map(({ diffId }) => diffId)
        .reduce((chain, diffId) => digestOf(Buffer.from(`${chain} ${diffId}`))),
    };
    note({ ...noted, ...found });
  }
  return found as BenchImages;
}

function imageOf(layers: readonly Layer[], config: ImageProcess = {}): Image {
  return buildImage({ layers, config });
}

function smallFiles(directories: number, filesInEach: number): readonly TarEntry[] {
  const bytes = 256;
  return Array.from({ length: directories }, (_, directory) => [
    { name: `${directory}/`, type: "directory" as const },
    ...Array.from({ length: filesInEach }, (_unused, file) => ({
      name: `${directory}/${file}`,
      body: `${directory} ${file} `.padEnd(bytes, "x"),
    })),
  ]).flat();
}

/** What containerd keeps a pod's namespaces with: Debian's static catatonit, which can do nothing but wait. */
async function pauseLayer(): Promise<Layer> {
  const [program = ""] = (await output(["sh", "-c", "command -v catatonit"])).trim().split("\n");
  return buildLayer([{ name: "pause", mode: 0o755, body: readFileSync(program) }]);
}

async function isPushed(host: string, name: string, digest: string): Promise<boolean> {
  const answer = await fetch(`http://${host}/v2/${name}/manifests/1`, {
    headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
  });
  return answer.status === 200 && digest === digestOf(new Uint8Array(await answer.arrayBuffer()));
}

function readNote(): Partial<Record<ImageName, BenchImage>> {
  try {
    return JSON.parse(readFileSync(cache.images, "utf8")) as Partial<Record<ImageName, BenchImage>>;
  } catch {
    return {};
  }
}

function note(images: Partial<Record<ImageName, BenchImage>>): void {
  mkdirSync(dirname(cache.images), { recursive: true });
  writeFileSync(`${cache.images}.new`, JSON.stringify(images));
  renameSync(`${cache.images}.new`, cache.images);
}

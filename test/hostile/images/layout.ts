import { buildImage, type Layer } from "../../support/oci-image.ts";
import { writeTar } from "../../support/tar-writer.ts";
import type { HostileImage } from "../image-trial.ts";
import { dir, file, gzip, layerOf } from "./build.ts";
import { damaged, directory, holds, malformed, tree } from "./verdicts.ts";

const sample = writeTar([file("a", "sample")]);
const same = () => layerOf(sample, sample, "none");
const other = () => {
  const tar = writeTar([dir("d"), file("d/b", "other")]);
  return layerOf(tar, tar, "none");
};
const layout = (name: string, layers: () => readonly Layer[], verdict: HostileImage["verdict"]): HostileImage => ({
  name,
  build: () => buildImage({ layers: layers() }),
  verdict,
});

/** Layers and diff ids that do not belong together. */
export const layoutFixtures: readonly HostileImage[] = [
  layout("SameLayerTwice", () => [same(), same()], tree({ a: holds("sample") })),
  layout(
    "SameLayerAtTopAndBottom",
    () => [same(), other(), same()],
    tree({ a: holds("sample"), d: directory, "d/b": holds("other") }),
  ),
  layout("EmptyLayers", () => [Buffer.alloc(1024), Buffer.alloc(0)].map((tar) => layerOf(tar, tar, "none")), tree({})),
  layout("DiffIdOfAnotherLayer", () => [{ ...same(), diffId: other().diffId }], damaged(/its tar has digest/)),
  layout(
    "DiffIdsSwapped",
    () => [
      { ...same(), diffId: other().diffId },
      { ...other(), diffId: same().diffId },
    ],
    damaged(/its tar has digest/),
  ),
  layout(
    "DiffIdOfTheBlob",
    () => [{ ...layerOf(sample, gzip(sample), "gzip"), diffId: layerOf(sample, gzip(sample), "gzip").digest }],
    damaged(/its tar has digest/),
  ),
  layout(
    "DiffIdOfNothing",
    () => [{ ...same(), diffId: `sha256:${"0".repeat(64)}` }],
    damaged(/its tar has digest "sha256:[0-9a-f]{64}": must be "sha256:0{64}"/),
  ),
  layout(
    "DiffIdBySha512",
    () => [{ ...same(), diffId: `sha512:${"0".repeat(128)}` }],
    damaged(/must be "sha512:0{128}"/),
  ),
  layout(
    "DiffIdThatClimbs",
    () => [{ ...same(), diffId: "sha256:../../../etc" }],
    malformed(/rootfs\.diff_ids\[0\].*sha256:\.\.\/\.\.\/\.\.\/etc/),
  ),
  layout(
    "DiffIdOfAnotherAlgorithm",
    () => [{ ...same(), diffId: `md5:${"0".repeat(32)}` }],
    malformed(/rootfs\.diff_ids\[0\].*md5/),
  ),
  layout(
    "LastOfManyLayersBad",
    () => [same(), other(), { ...same(), diffId: `sha256:${"1".repeat(64)}` }],
    damaged(/must be "sha256:1{64}"/),
  ),
  layout(
    "LayersAtTheLimit",
    () =>
      [...Array(128)].map((_, n) => {
        const tar = writeTar([file("n", String(n))]);
        return layerOf(tar, tar, "none");
      }),
    tree({ n: holds("127") }),
  ),
  layout(
    "LayersBeyondTheLimit",
    () => [...Array(129)].map(() => same()),
    malformed(/layers: has 129 elements, more than 128/),
  ),
  layout("NoLayers", () => [], malformed(/has no layers/)),
];

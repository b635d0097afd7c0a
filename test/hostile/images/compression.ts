import { gzipSync } from "node:zlib";
import { buildImage, type Layer } from "../../support/oci-image.ts";
import { writeTar } from "../../support/tar-writer.ts";
import { type HostileImage, trialLimits } from "../image-trial.ts";
import { file, gzip, layerOf, zstd } from "./build.ts";
import { damaged, holds, oversized, tree } from "./verdicts.ts";

const sample = writeTar([file("a", "sample")]);
const blob = (name: string, layer: () => Layer, verdict: HostileImage["verdict"]): HostileImage => ({
  name,
  build: () => buildImage({ layers: [layer()] }),
  verdict,
});
const zeros = () => Buffer.alloc(trialLimits.tarBytes + 1);
const flipped = (bytes: Uint8Array, at: number) => {
  const copy = Buffer.from(bytes);
  copy[copy.length + at] = (copy[copy.length + at] ?? 0) ^ 0xff;
  return copy;
};
/** A gzip header with extra field, name and comment, RFC 1952. */
const decorated = (name: string) =>
  Buffer.concat([
    Buffer.from("1f8b081c0000000000ff0300414243", "hex"),
    Buffer.from(`${name}\0comment\0`),
    gzipSync(sample).subarray(10),
  ]);
const skippable = (bytes: number) => {
  const frame = Buffer.alloc(8 + bytes, 0xee);
  frame.writeUInt32LE(0x184d2a50, 0);
  frame.writeUInt32LE(bytes, 4);
  return frame;
};

/** Compressed blobs that are bombs, broken, or something else. */
export const compressionFixtures: readonly HostileImage[] = [
  blob("GzipBomb", () => layerOf(zeros(), gzip(zeros()), "gzip"), oversized(/inflates to more than 33554432 bytes/)),
  blob(
    "GzipBombOfManyMembers",
    () => layerOf(zeros(), Buffer.concat([...Array(40)].map(() => gzip(Buffer.alloc(2_000_000)))), "gzip"),
    oversized(/inflates to more than 33554432 bytes/),
  ),
  blob(
    "GzipOfManyEmptyMembers",
    () => layerOf(sample, Buffer.concat([...Array(20_000).fill(gzip(Buffer.alloc(0))), gzip(sample)]), "gzip"),
    tree({ a: holds("sample") }),
  ),
  blob("GzipInGzip", () => layerOf(sample, gzip(gzip(sample)), "gzip"), damaged(/ends in the middle of an entry/)),
  blob(
    "GzipWithNameThatClimbs",
    () => layerOf(sample, decorated("../../../etc/passwd"), "gzip"),
    tree({ a: holds("sample") }),
  ),
  blob(
    "GzipWithNameOfAMegabyte",
    () => layerOf(sample, decorated("n".repeat(1_000_000)), "gzip"),
    tree({ a: holds("sample") }),
  ),
  blob(
    "GzipOfAnUnknownMethod",
    () => layerOf(sample, Buffer.concat([Buffer.from("1f8b09", "hex"), gzip(sample).subarray(3)]), "gzip"),
    damaged(/its gzip data is damaged/),
  ),
  blob(
    "GzipOfReservedFlags",
    () => layerOf(sample, Buffer.concat([Buffer.from("1f8b08e0", "hex"), gzip(sample).subarray(4)]), "gzip"),
    damaged(/its gzip data is damaged/),
  ),
  blob(
    "GzipChecksumWrong",
    () => layerOf(sample, flipped(gzip(sample), -8), "gzip"),
    damaged(/its gzip data is damaged/),
  ),
  blob(
    "GzipLengthWrong",
    () => layerOf(sample, flipped(gzip(sample), -1), "gzip"),
    damaged(/its gzip data is damaged/),
  ),
  blob("GzipDataWrong", () => layerOf(sample, flipped(gzip(sample), -20), "gzip"), damaged(/its gzip data is damaged/)),
  blob("GzipCut", () => layerOf(sample, gzip(sample).subarray(0, -12), "gzip"), damaged(/its gzip data is damaged/)),
  blob(
    "GzipHeaderAlone",
    () => layerOf(sample, gzip(sample).subarray(0, 10), "gzip"),
    damaged(/its gzip data is damaged/),
  ),
  blob(
    "GzipThenJunk",
    () => layerOf(sample, Buffer.concat([gzip(sample), Buffer.from("junk")]), "gzip"),
    damaged(/its gzip data is damaged/),
  ),
  blob(
    "GzipThenAnotherArchive",
    () => layerOf(sample, Buffer.concat([gzip(sample), gzip(writeTar([file("hidden")]))]), "gzip"),
    damaged(/its tar has digest/),
  ),
  blob(
    "GzipThenZstd",
    () => layerOf(sample, Buffer.concat([gzip(sample), zstd(sample)]), "gzip"),
    damaged(/its gzip data is damaged/),
  ),
  blob("ZstdBomb", () => layerOf(zeros(), zstd(zeros()), "zstd"), oversized(/inflates to more than 33554432 bytes/)),
  blob(
    "ZstdWindowOfTwoGibibytes",
    () => layerOf(sample, Buffer.from("28b52ffd00a80100006100", "hex"), "zstd"),
    oversized(/its zstd data needs a window of more than 134217728 bytes/),
  ),
  blob(
    "ZstdSkippableFrames",
    () => layerOf(sample, Buffer.concat([...[...Array(2_000)].map(() => skippable(100)), zstd(sample)]), "zstd"),
    tree({ a: holds("sample") }),
  ),
  blob(
    "ZstdSkippableFramesAlone",
    () => layerOf(Buffer.alloc(0), Buffer.concat([...Array(100)].map(() => skippable(10))), "zstd"),
    tree({}),
  ),
  blob(
    "ZstdSkippableFrameBeyondTheBlob",
    () => layerOf(sample, Buffer.concat([zstd(sample), Buffer.from("502a4d18ffffffff", "hex")]), "zstd"),
    damaged(/its zstd data is damaged/),
  ),
  blob(
    "ZstdWithDictionary",
    () => layerOf(sample, Buffer.from("28b52ffd2301050100006100", "hex"), "zstd"),
    damaged(/its zstd data is damaged/),
  ),
  blob("ZstdCut", () => layerOf(sample, zstd(sample).subarray(0, -5), "zstd"), damaged(/its zstd data is damaged/)),
  blob(
    "ZstdChecksumWrong",
    () => layerOf(sample, flipped(zstd(sample), -1), "zstd"),
    damaged(/its zstd data is damaged/),
  ),
  blob(
    "ZstdThenJunk",
    () => layerOf(sample, Buffer.concat([zstd(sample), Buffer.from("junk")]), "zstd"),
    damaged(/its zstd data is damaged/),
  ),
  blob(
    "ZstdCalledGzip",
    () => layerOf(sample, zstd(sample), "gzip"),
    damaged(/28b52ffd \(zstd\): its media type says gzip/),
  ),
  blob("GzipCalledPlain", () => layerOf(sample, gzip(sample), "none"), damaged(/\(gzip\): its media type says none/)),
  blob("PlainCalledGzip", () => layerOf(sample, sample, "gzip"), damaged(/\(none\): its media type says gzip/)),
  blob(
    "Bzip2CalledGzip",
    () => layerOf(sample, Buffer.from("425a68393141592653590000", "hex"), "gzip"),
    damaged(/425a6839 \(none\): its media type says gzip/),
  ),
  blob(
    "XzCalledPlain",
    () => layerOf(sample, Buffer.from("fd377a585a000004e6d6b446", "hex"), "none"),
    damaged(/ends in the middle of an entry/),
  ),
  blob(
    "ZipCalledPlain",
    () => layerOf(sample, Buffer.from("504b0304140000000800", "hex"), "none"),
    damaged(/ends in the middle of an entry/),
  ),
  blob(
    "EmptyBlobCalledGzip",
    () => layerOf(Buffer.alloc(0), Buffer.alloc(0), "gzip"),
    damaged(/its media type says gzip/),
  ),
];

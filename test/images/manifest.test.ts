import { describe, expect, test } from "vitest";
import type { Digest } from "../../src/common/ids.ts";
import { parseManifest } from "../../src/images/manifest.ts";

const digest = `sha256:${"a".repeat(64)}` as Digest;
const ociManifest = "application/vnd.oci.image.manifest.v1+json";
const ociIndex = "application/vnd.oci.image.index.v1+json";
const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest, size: 7 };
const layer = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest, size: 9 };
const image = { schemaVersion: 2, mediaType: ociManifest, config, layers: [layer] };
const entry = { mediaType: ociManifest, digest, size: 5, platform: { os: "linux", architecture: "amd64" } };
const index = { schemaVersion: 2, mediaType: ociIndex, manifests: [entry] };

function parse(document: unknown, contentType?: string, expectedType?: string) {
  const bytes = typeof document === "string" ? document : JSON.stringify(document);
  return parseManifest(Buffer.from(bytes), digest, contentType, expectedType);
}

describe("parseManifest()", () => {
  test("reads an image", () => {
    expect(parse(image, ociManifest)).toEqual({
      kind: "image",
      config: { mediaType: config.mediaType, digest, sizeBytes: 7, platform: undefined },
      layers: [{ mediaType: layer.mediaType, digest, sizeBytes: 9, platform: undefined }],
    });
  });

  test("reads an index", () => {
    const platform = { os: "linux", architecture: "amd64", variant: "" };
    expect(parse(index, `${ociIndex}; charset=utf-8`)).toEqual({
      kind: "index",
      entries: [{ mediaType: ociManifest, digest, sizeBytes: 5, platform }],
    });
  });

  test.each<[string, unknown, string | undefined, string | undefined]>([
    ["no mediaType of its own", { ...image, mediaType: undefined }, ociManifest, undefined],
    ["a server that calls everything JSON", image, "application/json", undefined],
    ["no Content-Type", image, undefined, ociManifest],
    ["the same type three times", image, ociManifest, ociManifest],
  ])("accepts %s", (_name, document, contentType, expected) => {
    expect(parse(document, contentType, expected).kind).toBe("image");
  });

  test.each<[string, unknown, string | undefined, string | undefined, string]>([
    [
      "both an index and an image",
      { ...image, manifests: [entry] },
      ociManifest,
      undefined,
      'must not have "manifests"',
    ],
    ["an index with layers", { ...index, layers: [layer] }, ociIndex, undefined, 'must not have "layers"'],
    ["an index with a config", { ...index, config }, ociIndex, undefined, 'must not have "config"'],
    ["another Content-Type than its mediaType", image, ociIndex, undefined, "at once"],
    ["another type than its descriptor", image, ociManifest, ociIndex, "at once"],
    [
      "an image that claims to be an index",
      { ...image, mediaType: ociIndex },
      undefined,
      undefined,
      'must not have "config"',
    ],
    ["no type at all", { ...image, mediaType: undefined }, "text/plain", undefined, "says what it is"],
    ["an unknown type", { ...image, mediaType: "application/x" }, undefined, undefined, "application/x"],
    [
      "schema 1",
      { schemaVersion: 1, fsLayers: [] },
      "application/vnd.docker.distribution.manifest.v1+prettyjws",
      undefined,
      "schema 1",
    ],
    ["schema 1 in disguise", { schemaVersion: 1, fsLayers: [] }, ociManifest, undefined, "schema 1"],
    ["no layers field", { schemaVersion: 2, config }, ociManifest, undefined, 'must have "layers"'],
    ["129 layers", { ...image, layers: Array(129).fill(layer) }, ociManifest, undefined, "more than 128"],
    ["1001 entries", { ...index, manifests: Array(1001).fill(entry) }, ociIndex, undefined, "more than 1000"],
    ["a negative size", { ...image, layers: [{ ...layer, size: -1 }] }, ociManifest, undefined, "layers[0], size"],
    ["a size beyond 2^53", { ...image, layers: [{ ...layer, size: 2 ** 53 }] }, ociManifest, undefined, "size"],
    ["a fractional size", { ...image, config: { ...config, size: 1.5 } }, ociManifest, undefined, "config, size"],
    ["a size as text", { ...image, config: { ...config, size: "7" } }, ociManifest, undefined, "config, size"],
    [
      "a digest that is a path",
      { ...image, config: { ...config, digest: "sha256:../../x" } },
      ociManifest,
      undefined,
      "digest",
    ],
    [
      "an upper-case digest",
      { ...image, layers: [{ ...layer, digest: digest.toUpperCase() }] },
      ociManifest,
      undefined,
      "digest",
    ],
    [
      "a digest from the prototype",
      '{"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[],"config":{"__proto__":{"digest":"x"}}}',
      ociManifest,
      undefined,
      "config",
    ],
    [
      "a Helm chart",
      { ...image, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" } },
      ociManifest,
      undefined,
      "helm",
    ],
    [
      "an encrypted layer",
      { ...image, layers: [{ ...layer, mediaType: `${layer.mediaType}+encrypted` }] },
      ociManifest,
      undefined,
      "encrypted",
    ],
    ["layers that are no list", { ...image, layers: { length: 1 } }, ociManifest, undefined, "must be a list"],
    ["a list", [image], ociManifest, undefined, "must be an object"],
    ["null", "null", ociManifest, undefined, "must be an object"],
    ["broken JSON", "{", ociManifest, undefined, "is not JSON"],
    [
      "other bytes than UTF-8",
      `{"a":"${String.fromCharCode(0xfffd)}\ud800"}`.slice(0, 3),
      ociManifest,
      undefined,
      "is not JSON",
    ],
    ["deep nesting", `{"a":${"[".repeat(100)}${"]".repeat(100)}}`, ociManifest, undefined, "deeper than 64"],
    ["a million brackets", `{"a":${"[".repeat(1_000_000)}`, ociManifest, undefined, "deeper than 64"],
  ])("refuses %s", (_name, document, contentType, expected, message) => {
    expect(() => parse(document, contentType, expected)).toThrow(
      expect.objectContaining({ code: "FailedPrecondition", message: expect.stringContaining(message) }),
    );
  });

  test("brackets inside strings are not nesting", () => {
    expect(parse({ ...image, annotations: { a: `"\\${"[{".repeat(200)}` } }, ociManifest).kind).toBe("image");
  });
});

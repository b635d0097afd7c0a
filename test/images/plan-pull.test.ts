import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Digest } from "../../src/common/ids.ts";
import type { ImageConfigDocument } from "../../src/images/image-config.ts";
import { type PullFacts, planPull } from "../../src/images/plan-pull.ts";

const digestOf = (letter: string) => `sha256:${letter.repeat(64)}` as Digest;
const sha256 = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}`;
const amd64 = { os: "linux", architecture: "amd64", variant: "" };

function descriptor(letter: string, sizeBytes: number) {
  return {
    mediaType: "application/vnd.oci.image.layer.v1.tar",
    digest: digestOf(letter),
    sizeBytes,
    platform: undefined,
  };
}

function facts(layers: string, diffIds: string, more: Partial<PullFacts> = {}): PullFacts {
  const config = { platform: amd64, diffIds: [...diffIds].map(digestOf) } as unknown as ImageConfigDocument;
  return {
    name: "app",
    manifest: {
      kind: "image",
      config: descriptor("f", 3),
      layers: [...layers].map((letter) => descriptor(letter, 10)),
    },
    manifestBytes: 4,
    config,
    host: amd64,
    hasSnapshot: () => false,
    ...more,
  };
}

describe("planPull()", () => {
  test("gives each layer the chain of all below it", () => {
    const [one, two, three] = [digestOf("1"), digestOf("2"), digestOf("3")];
    const second = sha256(`${one} ${two}`);
    const third = sha256(`${second} ${three}`);
    expect(planPull(facts("abc", "123", { hasSnapshot: (chainId) => chainId === one }))).toEqual({
      imageId: digestOf("f"),
      sizeBytes: 37,
      steps: [
        { layer: descriptor("a", 10), diffId: one, chainId: one, parentChainId: undefined, present: true },
        { layer: descriptor("b", 10), diffId: two, chainId: second, parentChainId: one, present: false },
        { layer: descriptor("c", 10), diffId: three, chainId: third, parentChainId: second, present: false },
      ],
    });
  });

  test.each<[string, PullFacts, string, string]>([
    ["more layers than diff ids", facts("ab", "1"), "FailedPrecondition", "2 layers in its manifest and 1"],
    ["more diff ids than layers", facts("a", "12"), "FailedPrecondition", "1 layers in its manifest and 2"],
    ["no layers", facts("", ""), "FailedPrecondition", "has no layers"],
    ["another platform", facts("a", "1", { host: { ...amd64, architecture: "arm64" } }), "NotFound", "linux/amd64"],
    [
      "more bytes than there are",
      facts("a", "1", { manifestBytes: Number.MAX_SAFE_INTEGER }),
      "FailedPrecondition",
      "no disk",
    ],
  ])("refuses %s", (_name, input, code, message) => {
    expect(() => planPull(input)).toThrow(expect.objectContaining({ code, message: expect.stringContaining(message) }));
  });
});

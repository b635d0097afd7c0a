import { describe, expect, test } from "vitest";
import { checkPlatform, choosePlatform, hostPlatform } from "../../src/images/platform.ts";

const mediaType = "application/vnd.oci.image.manifest.v1+json";
const amd64 = { os: "linux", architecture: "amd64", variant: "" };

function entry(text: string | undefined, type = mediaType) {
  const [os = "", architecture = "", variant = ""] = text?.split("/") ?? [];
  return { mediaType: type, platform: text === undefined ? undefined : { os, architecture, variant }, text };
}

describe("choosePlatform()", () => {
  test.each<[string, string, readonly (string | undefined)[], string | undefined]>([
    ["the exact match", "linux/amd64", ["linux/arm64", "linux/amd64"], "linux/amd64"],
    ["the first of equals", "linux/amd64", ["linux/amd64/v1", "linux/amd64"], "linux/amd64/v1"],
    ["an alias", "linux/amd64", ["linux/x86_64"], "linux/x86_64"],
    ["the base variant, not a newer one", "linux/amd64", ["linux/amd64/v3", "linux/amd64"], "linux/amd64"],
    ["arm64 in any spelling", "linux/arm64", ["linux/aarch64/v8"], "linux/aarch64/v8"],
    ["the closest older ARM", "linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"],
    ["what has a platform before what has none", "linux/amd64", [undefined, "linux/amd64"], "linux/amd64"],
    ["what has none when nothing fits", "linux/amd64", ["linux/s390x", undefined], undefined],
  ])("takes %s", (_name, host, texts, chosen) => {
    const platform = entry(host).platform ?? amd64;
    expect(
      choosePlatform(
        texts.map((text) => entry(text)),
        platform,
        "app",
      ).text,
    ).toBe(chosen);
  });

  test("lists what there is when nothing fits", () => {
    const entries = [
      entry("linux/arm64/v8"),
      entry("windows/amd64"),
      entry("unknown/unknown"),
      entry("linux/amd64", "application/x"),
    ];
    expect(() => choosePlatform(entries, amd64, "r.example/app:1")).toThrow(
      expect.objectContaining({
        code: "NotFound",
        message:
          'No image for platform linux/amd64 in "r.example/app:1": it has linux/arm64/v8, windows/amd64, unknown/unknown, linux/amd64',
      }),
    );
  });

  test("an empty index fits nobody", () => {
    expect(() => choosePlatform([], amd64, "app")).toThrow("it has none");
  });
});

test("checkPlatform() refuses an image built for another machine", () => {
  expect(() => checkPlatform({ os: "linux", architecture: "arm64", variant: "v8" }, amd64, "app")).toThrow(
    expect.objectContaining({
      code: "NotFound",
      message: 'Image "app" is for platform linux/arm64/v8: this node runs linux/amd64',
    }),
  );
  expect(() => checkPlatform({ os: "Linux", architecture: "x86_64", variant: "" }, amd64, "app")).not.toThrow();
});

test("hostPlatform() knows Node's names", () => {
  expect(["x64", "arm64", "arm", "riscv64"].map((arch) => hostPlatform(arch))).toEqual([
    amd64,
    { os: "linux", architecture: "arm64", variant: "" },
    { os: "linux", architecture: "arm", variant: "v7" },
    { os: "linux", architecture: "riscv64", variant: "" },
  ]);
});

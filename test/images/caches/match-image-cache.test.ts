import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CacheWish, readCacheWish } from "../../../src/images/caches/cache-wish.ts";
import { matchImageCache, matchImages, type WantedImage } from "../../../src/images/caches/match-image-cache.ts";
import { cachedOf, cacheOf, chainsOf } from "./cache-fixture.ts";

const wish: CacheWish = { cacheId: "", auto: true, perfectMatch: false, matchCount: 0, images: [] };
const a = "reg.example/a:1";
const b = "reg.example/b:1";
const present = (reference: string, ...layers: readonly string[]): WantedImage => ({
  reference,
  chainIds: chainsOf(layers),
});
const unknown = (reference: string): WantedImage => ({ reference, chainIds: undefined });

describe("matchImages()", () => {
  const cache = cacheOf(1, { images: [cachedOf(a, ["base", "a1", "a2"])] });

  test.each([
    ["the same layers", present(b, "base", "a1"), "full", 2, 2],
    ["a layer more", present(a, "base", "a1", "a3"), "partial", 2, 3],
    ["the same layer on another one", present(a, "other", "a1"), "none", 0, 2],
    ["a name that the cache has", unknown(a), "full", 3, 3],
    ["a name that it does not have", unknown(b), "none", 0, 0],
  ] as const)("of %s", (_, wanted, degree, cachedLayers, layers) => {
    const { reference } = wanted;
    expect(matchImages(cache, [wanted])).toEqual([{ reference, degree, cachedLayers, layers }]);
  });
});

describe("matchImageCache()", () => {
  const nameOf = (result: ReturnType<typeof matchImageCache>) => result.cache?.name;
  const both = [present(a, "base", "a"), present(b, "base", "b")];
  const onlyA = cachedOf(a, ["base", "a"]);
  const onlyB = cachedOf(b, ["base", "b"]);

  test("prefers whole images, then layers of others, then size, then the newest", () => {
    const one = cacheOf(1, { images: [onlyA] });
    const two = cacheOf(2, { images: [onlyA, onlyB] });
    const newest = cacheOf(3, { images: [onlyA] });
    expect(nameOf(matchImageCache(wish, both, [one, two, newest]))).toBe("cache-2");
    expect(nameOf(matchImageCache(wish, both, [one, newest]))).toBe("cache-3");
    const large = cacheOf(4, { images: [cachedOf("reg.example/c:1", ["large"], 9_000)] });
    const small = cacheOf(5, { images: [cachedOf("reg.example/d:1", ["small"], 8_000)] });
    const either = [present("reg.example/c:1", "large"), present("reg.example/d:1", "small")];
    expect(nameOf(matchImageCache(wish, either, [small, large]))).toBe("cache-4");
    const partly = cacheOf(6, {
      images: [cachedOf(a, ["base", "a"]), cachedOf("reg.example/e:1", ["base", "b", "e"])],
    });
    expect(nameOf(matchImageCache(wish, [present(b, "base", "b", "x")], [one, partly]))).toBe("cache-6");
  });

  test("says why there is none", () => {
    const one = cacheOf(1, { images: [onlyA] });
    const reasonOf = (change: Partial<CacheWish>, wanted = both, caches = [one]) => {
      const { cache, reason } = matchImageCache({ ...wish, ...change }, wanted, caches);
      return [cache?.name, reason];
    };
    expect(reasonOf({})).toEqual(["cache-1", "best of 1 ready image caches: 1 of 2 images and 1 layers of others"]);
    expect(reasonOf({ perfectMatch: true })).toEqual([
      undefined,
      `imc-perfect-match: the best image cache, ${one.id}, has 1 of 2 images`,
    ]);
    expect(reasonOf({ matchCount: 2 })).toEqual([
      undefined,
      `imc-match-count-request: 2 images are asked for, the best image cache, ${one.id}, has 1 of 2 images`,
    ]);
    expect(reasonOf({ matchCount: 1 })[0]).toBe("cache-1");
    // A perfect match outranks the count.
    expect(reasonOf({ perfectMatch: true, matchCount: 5 }, [both[0] ?? unknown(a)])[0]).toBe("cache-1");
    expect(reasonOf({}, [present("reg.example/z:1", "z")])[1]).toBe(
      "none of 1 ready image caches has a layer of the pod's images",
    );
    expect(reasonOf({}, [])[1]).toBe("no image of the pod is known yet");
  });

  test("never gives a cache that has less of the images than another, nor one that breaks the wish", () => {
    const layers = fc.array(fc.constantFrom("p", "q", "r"), { minLength: 1, maxLength: 3 });
    const wanted = fc.array(layers, { minLength: 1, maxLength: 4 });
    const caches = fc.array(fc.array(layers, { maxLength: 4 }), { maxLength: 5 });
    const wishes = fc.record({ perfectMatch: fc.boolean(), matchCount: fc.integer({ min: 0, max: 4 }) });
    fc.assert(
      fc.property(wanted, caches, wishes, (images, drawn, asked) => {
        const pod = images.map((own, index) => present(`reg.example/w${index}:1`, ...own));
        const present_ = drawn.map((own, index) =>
          cacheOf(index, { images: own.map((list, at) => cachedOf(`reg.example/c${index}-${at}:1`, list)) }),
        );
        const fullOf = (cache: (typeof present_)[number]) =>
          matchImages(cache, pod).filter(({ degree }) => degree === "full").length;
        const most = Math.max(0, ...present_.map(fullOf));
        const { cache, images: matches } = matchImageCache({ ...wish, ...asked }, pod, present_);
        expect(matches.map(({ reference }) => reference)).toEqual(pod.map(({ reference }) => reference));
        if (cache === undefined) {
          const anyLayer = present_.some((one) => matchImages(one, pod).some(({ cachedLayers }) => cachedLayers > 0));
          expect(!anyLayer || (asked.perfectMatch ? most < pod.length : most < asked.matchCount)).toBe(true);
          return;
        }
        expect(fullOf(cache)).toBe(most);
        if (asked.perfectMatch) expect(most).toBe(pod.length);
        else expect(most).toBeGreaterThanOrEqual(asked.matchCount);
      }),
    );
  });
});

describe("readCacheWish()", () => {
  const read = (annotations: Record<string, string>) =>
    readCacheWish(
      Object.fromEntries(
        Object.entries(annotations).map(([key, value]) => [key.includes("/") ? key : `k8s.aliyun.com/${key}`, value]),
      ),
    );

  test.each([
    [{}, undefined],
    [{ "imc-perfect-match": "true" }, undefined],
    [{ "eci-auto-imc": "false" }, undefined],
    [{ "eci-auto-imc": "true" }, { auto: true }],
    [{ "eci-image-cache": "true" }, { auto: true }],
    [{ "eci-image-cache": "true", "eci-auto-imc": "false" }, undefined],
    [{ "eci-imc-id": "imc-a1" }, { cacheId: "imc-a1", auto: false }],
    [{ "eci-image-snapshot-id": "imc-b2" }, { cacheId: "imc-b2" }],
    [{ "eci-image-snapshot-id": "imc-b2", "eci-imc-id": "imc-a1" }, { cacheId: "imc-a1" }],
    [
      { "eci-auto-imc": "true", "imc-perfect-match": "true", "imc-match-count-request": "2" },
      { perfectMatch: true, matchCount: 2 },
    ],
    [
      { "eci-auto-imc": "true", "podling.dev/container-images": "busybox, reg.example/a:1 ,busybox" },
      { images: ["docker.io/library/busybox:latest", "reg.example/a:1"] },
    ],
  ])("of %j", (annotations, expected) => {
    if (expected === undefined) expect(read(annotations)).toBeUndefined();
    else expect(read(annotations)).toMatchObject(expected);
  });

  test.each([
    [{ "eci-auto-imc": "yes" }, /Invalid annotation k8s\.aliyun\.com\/eci-auto-imc "yes": must be "true" or "false"/],
    [{ "imc-match-count-request": "-1" }, /imc-match-count-request "-1": must be a whole number/],
    [{ "eci-imc-id": "../x" }, /eci-imc-id "\.\.\/x": must be the id of an image cache/],
    [
      { "eci-auto-imc": "true", "podling.dev/container-images": "UPPER/" },
      /Invalid annotation podling\.dev\/container-images/,
    ],
  ])("refuses %j", (annotations, message) => {
    expect(() => read(annotations)).toThrow(message);
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeImageCache,
  type ImageCachePhase,
  type ImageCacheRecord,
  imageCachePhases,
  keptImages,
} from "../../../src/images/caches/image-cache-record.ts";
import {
  begun,
  cachedBy,
  checkSize,
  failed,
  layerBytes,
  made,
  newImageCache,
  planBuild,
  planCreation,
  planElimination,
  planExpiry,
  planManifests,
  sameSpec,
  toUpdate,
  withEvent,
  withImage,
  withoutLost,
} from "../../../src/images/caches/plan-image-cache.ts";
import { cachedOf, cacheOf, cacheSpec, chainsOf, digestOf, imageOf } from "./cache-fixture.ts";

const now = Date.UTC(2026, 5, 1);
const dayMs = 86_400_000;
const request = { name: "new", origin: "admin", spec: cacheSpec } as const;
const gib = 2 ** 30;

describe("planCreation()", () => {
  test("makes a cache where there is room", () => {
    expect(planCreation(request, [cacheOf(1)], 2)).toEqual({ kind: "create", eliminate: [] });
  });

  test("gives the same request the cache it made before, whatever state that is in but Failed", () => {
    for (const phase of imageCachePhases) {
      const present = cacheOf(1, { name: "new", phase });
      const plan = planCreation(request, [present], 1);
      expect(plan).toEqual(
        phase === "Failed" ? { kind: "create", eliminate: [present] } : { kind: "existing", record: present },
      );
    }
  });

  test("refuses a name that a cache of another spec has", () => {
    const present = cacheOf(1, { name: "new", spec: { ...cacheSpec, images: ["reg.example/other:1"] } });
    expect(() => planCreation(request, [present], 9)).toThrow(/"new" is taken by "imc-0*1".*another spec/);
  });

  test("lets failed caches go first, then the longest unused of the strategy LRU, and no more than needed", () => {
    const spec = { ...cacheSpec, eliminationStrategy: "LRU" as const };
    const caches = [
      cacheOf(1, { spec, lastMatchedTime: "2026-03-01T00:00:00.000Z" }),
      cacheOf(2, { spec, lastMatchedTime: "2026-02-01T00:00:00.000Z" }),
      cacheOf(3),
      cacheOf(4, { phase: "Failed" }),
      cacheOf(5, { spec, phase: "Creating" }),
    ];
    expect(planElimination(caches).map(({ name }) => name)).toEqual(["cache-4", "cache-2", "cache-1"]);
    const plan = planCreation(request, caches, 4);
    expect(plan.kind === "create" && plan.eliminate.map(({ name }) => name)).toEqual(["cache-4", "cache-2"]);
    expect(() => planCreation(request, caches, 2)).toThrow(/5 image caches, at most 2 .*images\.caches\.limit.*LRU/);
  });

  test("never plans more caches than the limit, and never gives up one that must stay", () => {
    const cache = fc.record({
      phase: fc.constantFrom(...imageCachePhases),
      lru: fc.boolean(),
      matchedDay: fc.integer({ min: 0, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(cache, { maxLength: 12 }), fc.integer({ min: 1, max: 12 }), (drawn, limit) => {
        const caches = drawn.map(({ phase, lru, matchedDay }, index) =>
          cacheOf(index, {
            phase,
            spec: { ...cacheSpec, eliminationStrategy: lru ? "LRU" : "" },
            lastMatchedTime: matchedDay === 0 ? "" : new Date(now + matchedDay * dayMs).toISOString(),
          }),
        );
        const mayGo = ({ phase, spec }: ImageCacheRecord) =>
          phase === "Failed" || (spec.eliminationStrategy === "LRU" && ["Ready", "UpdateFailed"].includes(phase));
        const room = limit - (caches.length - caches.filter(mayGo).length);
        if (room < 1) {
          expect(() => planCreation(request, caches, limit)).toThrow(/may be \(images\.caches\.limit\)/);
          return;
        }
        const plan = planCreation(request, caches, limit);
        if (plan.kind !== "create") throw new Error("the name is free");
        expect(plan.eliminate.every(mayGo)).toBe(true);
        expect(plan.eliminate).toHaveLength(Math.max(0, caches.length + 1 - limit));
        const kept = caches.filter((one) => !plan.eliminate.includes(one) && mayGo(one));
        for (const gone of plan.eliminate) {
          for (const stays of kept) {
            expect(gone.phase === "Failed" || stays.phase !== "Failed").toBe(true);
            if (gone.phase === stays.phase) expect(lastUse(gone) <= lastUse(stays)).toBe(true);
          }
        }
      }),
    );
  });
});

function lastUse({ lastMatchedTime, lastUpdateTime }: ImageCacheRecord): string {
  return [lastMatchedTime, lastUpdateTime].toSorted().at(-1) ?? "";
}

describe("planExpiry()", () => {
  test("takes what is over, and nothing that is being made", () => {
    const at = (ms: number) => new Date(ms).toISOString();
    const caches = [
      cacheOf(1, { expireDateTime: at(now) }),
      cacheOf(2, { expireDateTime: at(now + 1) }),
      cacheOf(3),
      cacheOf(4, { expireDateTime: at(now - 1), phase: "Updating" }),
      cacheOf(5, { expireDateTime: at(now - 1), phase: "Failed" }),
    ];
    expect(planExpiry(caches, now).map(({ name }) => name)).toEqual(["cache-1", "cache-5"]);
  });
});

describe("planManifests()", () => {
  const wanted = (name: string, images = cacheSpec.images) =>
    ({ name, origin: "manifest", spec: { ...cacheSpec, images } }) as const;

  test("creates what is new, updates what has changed, removes what is gone, and leaves others' caches alone", () => {
    const same = cacheOf(1, { name: "same", origin: "manifest" });
    const changed = cacheOf(2, { name: "changed", origin: "manifest" });
    const gone = cacheOf(3, { name: "gone", origin: "manifest" });
    const others = [cacheOf(4, { name: "admins" }), cacheOf(5, { name: "auto-x", origin: "pod" })];
    const taken = cacheOf(6, { name: "taken" });
    const requests = [wanted("same"), wanted("changed", ["reg.example/b:1"]), wanted("fresh"), wanted("taken")];
    expect(planManifests(requests, [same, changed, gone, ...others, taken])).toEqual({
      create: [requests[2]],
      update: [
        { record: changed, spec: requests[1]?.spec },
        { record: taken, spec: requests[3]?.spec },
      ],
      remove: [gone],
    });
  });

  test("leaves a cache that follows its manifest already, also one that failed", () => {
    const present = cacheOf(1, { name: "a", origin: "manifest", phase: "Failed" });
    expect(planManifests([wanted("a")], [present])).toEqual({ create: [], update: [], remove: [] });
  });
});

describe("planBuild()", () => {
  const [a, b] = [cachedOf("reg.example/a:1", ["x", "a"]), cachedOf("reg.example/b:1", ["x", "b"])];
  const building = cacheOf(9, {
    phase: "Creating",
    spec: { ...cacheSpec, images: ["reg.example/a:1", "reg.example/b:1", "reg.example/a:1"] },
  });
  const nothing = { others: [], onNode: () => undefined };

  test("pulls each image once, and not what is there", () => {
    expect(planBuild(building, nothing)).toEqual([
      { kind: "pull", reference: "reg.example/a:1" },
      { kind: "pull", reference: "reg.example/b:1" },
    ]);
    expect(planBuild({ ...building, gathered: [a, b] }, nothing)).toEqual([]);
  });

  test("reuses the newest Ready cache's image only when told to", () => {
    const newer = cachedOf("reg.example/a:1", ["x", "a2"]);
    const others = [
      cacheOf(1, { images: [a] }),
      cacheOf(2, { images: [newer] }),
      cacheOf(3, { images: [cachedOf("reg.example/a:1", ["y"])], phase: "Updating" }),
    ];
    expect(planBuild(building, { ...nothing, others })[0]?.kind).toBe("pull");
    const reusing = { ...building, spec: { ...building.spec, reuse: true } };
    expect(planBuild(reusing, { ...nothing, others })).toEqual([
      { kind: "take", cached: newer, from: `image cache ${others[1]?.id}` },
      { kind: "pull", reference: "reg.example/b:1" },
    ]);
  });

  test("takes the node's images for a pod's cache, and for no other", () => {
    const onNode = (reference: string) => (reference === "reg.example/b:1" ? b.image : undefined);
    expect(planBuild(building, { others: [], onNode }).map(({ kind }) => kind)).toEqual(["pull", "pull"]);
    expect(planBuild({ ...building, origin: "pod" }, { others: [], onNode })).toEqual([
      { kind: "pull", reference: "reg.example/a:1" },
      { kind: "take", cached: b, from: "the node's images" },
    ]);
  });

  test("finds an image of a cache by each of its names", () => {
    const cache = cacheOf(1, { images: [a] });
    const digest = a.image.digests[0] ?? "";
    expect([cachedBy(cache, "reg.example/a:1"), cachedBy(cache, digest), cachedBy(cache, "reg.example/a:2")]).toEqual([
      a,
      a,
      undefined,
    ]);
  });
});

describe("a cache's size", () => {
  test("counts each layer once, and is held against the spec", () => {
    const images = [imageOf("reg.example/a:1", ["base", "a"]), imageOf("reg.example/b:1", ["base", "b"])];
    const layers = new Map([
      [digestOf("base"), 15 * gib],
      [digestOf("base a"), 3 * gib],
      [digestOf("base b"), 2 * gib],
    ]);
    expect(layerBytes(images, layers)).toBe(20 * gib);
    const gathered = images.map((image) => ({ reference: image.tags[0] ?? "", image }));
    const record = cacheOf(1, { phase: "Creating", gathered });
    expect(() => checkSize(record, layers)).not.toThrow();
    layers.set(digestOf("base b"), 2 * gib + 1);
    expect(() => checkSize(record, layers)).toThrow("The images take 20.0 GiB, and imageCacheSize is 20 GiB");
    expect(() => checkSize({ ...record, spec: { ...cacheSpec, imageCacheSize: 21 } }, layers)).not.toThrow();
  });
});

describe("a cache's life", () => {
  const [a, b] = [cachedOf("reg.example/a:1", ["x", "a"]), cachedOf("reg.example/b:1", ["x", "b"])];
  const spec = { ...cacheSpec, images: ["reg.example/a:1"], retentionDays: 3 };

  test("goes from Preparing over Creating to Ready, and is over after its retention days", () => {
    const steps: [ImageCachePhase, number, number][] = [];
    const note = (record: ImageCacheRecord) => {
      steps.push([record.phase, record.images.length, record.gathered.length]);
      expect(decodeImageCache(JSON.parse(JSON.stringify(record)))).toEqual(record);
      return record;
    };
    let record = note(newImageCache("imc-0123456789abcdef0123", { ...request, spec }, now));
    record = note(begun(record, now));
    record = note(withImage(record, a, "its registry", now));
    record = note(made(record, now));
    expect(steps).toEqual([
      ["Preparing", 0, 0],
      ["Creating", 0, 0],
      ["Creating", 0, 1],
      ["Ready", 1, 0],
    ]);
    expect(record.expireDateTime).toBe(new Date(now + 3 * dayMs).toISOString());
    expect(record.events.map(({ reason }) => reason)).toEqual(["Creating", "ImageCached", "Ready"]);
  });

  test("fails with nothing kept and a day to be looked at", () => {
    const record = failed(
      withImage(begun(newImageCache("imc-0", { ...request, spec }, now), now), a, "", now),
      "why",
      now,
    );
    expect([record.phase, keptImages(record), record.expireDateTime]).toEqual([
      "Failed",
      [],
      new Date(now + dayMs).toISOString(),
    ]);
    expect(record.events.at(-1)).toMatchObject({ type: "Warning", reason: "Failed", message: "why" });
  });

  test("keeps what it serves through an update, whatever becomes of that", () => {
    const ready = cacheOf(1, { images: [a], spec });
    const wanted = { ...spec, images: ["reg.example/b:1"] };
    const updating = withImage(begun(toUpdate(ready, wanted, now), now), b, "", now);
    expect([updating.phase, keptImages(updating)]).toEqual(["Updating", [a.image, b.image]]);
    expect([made(updating, now).phase, keptImages(made(updating, now))]).toEqual(["Ready", [b.image]]);
    const lost = failed(updating, "why", now);
    expect([lost.phase, keptImages(lost), lost.expireDateTime]).toEqual(["UpdateFailed", [a.image], ""]);
  });

  test("is made anew where a layer was lost, from what is whole", () => {
    const ready = cacheOf(1, { images: [a, b], spec });
    const present = new Set(chainsOf(["x", "b"]));
    const record = withoutLost(ready, (chainId) => present.has(chainId), now);
    expect([record.phase, record.images, record.gathered]).toEqual(["Preparing", [], [b]]);
    expect(withoutLost(ready, () => true, now)).toBe(ready);
  });

  test("counts an event that comes again, and keeps the newest 20", () => {
    let record = cacheOf(1);
    for (let time = 0; time < 3; time++) record = withEvent(record, "Normal", "Same", "again", now + time);
    expect(record.events).toEqual([
      {
        type: "Normal",
        reason: "Same",
        message: "again",
        count: 3,
        firstTimestamp: new Date(now).toISOString(),
        lastTimestamp: new Date(now + 2).toISOString(),
      },
    ]);
    for (let number = 0; number < 30; number++) record = withEvent(record, "Normal", "One", String(number), now);
    expect(record.events.map(({ message }) => message)).toEqual(
      Array.from({ length: 20 }, (_, index) => String(index + 10)),
    );
  });
});

describe("sameSpec()", () => {
  test("knows an image by its full name, in whatever order", () => {
    const one = { ...cacheSpec, images: ["busybox", "reg.example/a"] };
    const other = { ...cacheSpec, images: ["reg.example/a:latest", "docker.io/library/busybox:latest"] };
    expect(sameSpec(one, other)).toBe(true);
    expect(sameSpec(one, { ...other, imageCacheSize: 21 })).toBe(false);
  });
});

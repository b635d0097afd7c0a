import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Digest } from "../../src/common/ids.ts";
import { type GcFacts, type GcImage, type GcPlan, type GcPolicy, planImageGc } from "../../src/images/plan-image-gc.ts";

const idOf = (name: string) => `sha256:${Buffer.from(name).toString("hex").padStart(64, "0")}` as Digest;

/** An image of layers "a", "b<a" …, idle for an hour and used by nobody. */
function image(name: string, layers: string, parts: Partial<GcImage> = {}): GcImage {
  const idleMs = parts.idleMs ?? 3_600_000;
  return {
    id: idOf(name),
    name,
    chainIds: layers.split(" ").map(idOf),
    idleMs,
    quietMs: idleMs,
    users: [],
    pin: undefined,
    leaseMs: 0,
    ...parts,
  };
}

const policy: GcPolicy = { highPercent: 80, lowPercent: 50, minimumAgeMs: 120_000, maximumAgeMs: 0 };

/** A file system of 1000 bytes; layers are 100 bytes each unless `sizes` says otherwise. */
function facts(usedBytes: number, images: readonly GcImage[], held: readonly string[] = []): GcFacts {
  const chains = new Map<Digest, Digest | undefined>();
  for (const { chainIds } of images) {
    chainIds.forEach((chainId, index) => {
      chains.set(chainId, chainIds[index - 1]);
    });
  }
  for (const name of held) if (!chains.has(idOf(name))) chains.set(idOf(name), undefined);
  return {
    images,
    layers: [...chains].map(([chainId, parentChainId]) => ({ chainId, parentChainId, sizeBytes: 100 })),
    heldChainIds: held.map(idOf),
    fileSystem: { capacityBytes: 1000, availableBytes: 1000 - usedBytes },
  };
}

const shown = ({ decisions }: GcPlan) =>
  decisions.map(({ name, action, reason, freesBytes }) =>
    action === "remove" ? `-${name} ${reason} ${freesBytes}` : `${name} ${reason}`,
  );

describe("planImageGc()", () => {
  test.each<[string, GcFacts, Partial<GcPolicy>, readonly string[]]>([
    ["leaves all while there is space", facts(799, [image("one", "a")]), {}, ["one unneeded"]],
    ["makes space from the high threshold on", facts(800, [image("one", "a")]), {}, ["-one space 100"]],
    [
      "takes the longest idle first, and no more than the low threshold asks for",
      facts(800, [
        image("new", "a", { idleMs: 200_000 }),
        image("old", "b c", { idleMs: 400_000 }),
        image("middle", "d", { idleMs: 300_000 }),
      ]),
      {},
      ["-old space 200", "-middle space 100", "new unneeded"],
    ],
    [
      "counts a shared layer for the last that needs it",
      facts(1000, [image("one", "base a", { idleMs: 900_000 }), image("two", "base b", { idleMs: 800_000 })]),
      {},
      ["-one space 100", "-two space 200"],
    ],
    [
      "spares what would free nothing",
      facts(1000, [image("child", "base a", { users: ["container 1"] }), image("parent", "base"), image("other", "b")]),
      {},
      ["-other space 100", "child in-use", "parent shared"],
    ],
    [
      "spares what a container holds below its own layer",
      facts(1000, [image("one", "a b")], ["b"]),
      {},
      ["one shared"],
    ],
    [
      "never makes space at a high threshold of 100",
      facts(1000, [image("one", "a")]),
      { highPercent: 100 },
      ["one unneeded"],
    ],
    [
      "gives up what is too old although there is space",
      facts(0, [image("old", "a", { idleMs: 900_000 }), image("new", "b", { idleMs: 899_999 })]),
      { maximumAgeMs: 900_000 },
      ["-old expired 100", "new unneeded"],
    ],
    [
      "counts what age has freed before making space",
      facts(800, [image("old", "a b c", { idleMs: 900_000 }), image("new", "d", { idleMs: 300_000 })]),
      { maximumAgeMs: 900_000 },
      ["-old expired 300", "new unneeded"],
    ],
    [
      "spares users, pins, leases and the young, whatever age and space say",
      facts(1000, [
        image("used", "a", { users: ["a running pull"] }),
        image("pinned", "b", { pin: "an operator" }),
        image("leased", "c", { leaseMs: 1 }),
        image("young", "d", { quietMs: 119_999 }),
      ]),
      { maximumAgeMs: 1 },
      ["used in-use", "pinned pinned", "leased leased", "young young"],
    ],
    [
      "an empty file system asks for nothing",
      { ...facts(0, [image("one", "a")]), fileSystem: { capacityBytes: 0, availableBytes: 0 } },
      {},
      ["one unneeded"],
    ],
  ])("%s", (_name, given, changes, wanted) => {
    expect(shown(planImageGc(given, { ...policy, ...changes }))).toEqual(wanted);
  });

  test("once begun it goes on below the high threshold, down to the low one", () => {
    const given = facts(600, [image("one", "a"), image("two", "b")]);
    expect(planImageGc(given, policy)).toMatchObject({ pressed: false, wantedBytes: 0, missingBytes: 0 });
    const plan = planImageGc(given, policy, true);
    expect(shown(plan)).toEqual(["-one space 100", "two unneeded"]);
    expect(plan).toMatchObject({ pressed: true, wantedBytes: 100, missingBytes: 0 });
  });

  test("says what is still missing", () => {
    const plan = planImageGc(facts(950, [image("one", "a")]), policy);
    expect(plan).toMatchObject({ pressed: true, wantedBytes: 450, missingBytes: 350 });
  });

  test("whatever there is, nothing needed goes, what goes was needed to go, and the bytes add up", () => {
    const anImage = fc.record({
      layers: fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 4 }),
      idleMs: fc.nat(1_000_000),
      quietMs: fc.nat(1_000_000),
      isUsed: fc.boolean(),
      pin: fc.option(fc.constant("an operator"), { nil: undefined }),
      leaseMs: fc.constantFrom(0, 0, 0, 5),
    });
    const aPolicy = fc.record({
      highPercent: fc.integer({ min: 2, max: 100 }),
      lowPercent: fc.nat(100),
      minimumAgeMs: fc.nat(500_000),
      maximumAgeMs: fc.constantFrom(0, 1, 700_000),
    });
    fc.assert(
      fc.property(
        fc.array(anImage, { maxLength: 12 }),
        aPolicy,
        fc.nat(1000),
        fc.array(fc.nat(9)),
        fc.boolean(),
        (made, drawn, used, held, isFreeing) => {
          const rules = { ...drawn, lowPercent: Math.min(drawn.lowPercent, drawn.highPercent - 1) };
          const images = made.map((one, index) =>
            image(
              `i${index}`,
              one.layers
                .toSorted((a, b) => a - b)
                .map((layer) => `l${layer}`)
                .join(" "),
              {
                idleMs: one.idleMs,
                quietMs: Math.min(one.quietMs, one.idleMs),
                users: one.isUsed ? ["container 1"] : [],
                pin: one.pin,
                leaseMs: one.leaseMs,
              },
            ),
          );
          // Layers by themselves, so that a hold keeps exactly what it names.
          const all = facts(
            used,
            images,
            held.map((layer) => `l${layer}`),
          );
          const given = { ...all, layers: all.layers.map((layer) => ({ ...layer, parentChainId: undefined })) };
          const plan = planImageGc(given, rules, isFreeing);
          expect(plan.decisions.map(({ id }) => id).toSorted()).toEqual(images.map(({ id }) => id).toSorted());

          const removed = plan.decisions.filter(({ action }) => action === "remove");
          const byId = new Map(images.map((one) => [one.id, one]));
          const needed = new Set<Digest>(given.heldChainIds);
          const goes = new Set(removed.map(({ id }) => id));
          for (const { id, chainIds } of images) if (!goes.has(id)) for (const chainId of chainIds) needed.add(chainId);
          const gone = new Set(
            removed.flatMap(({ id }) => byId.get(id)?.chainIds ?? []).filter((chainId) => !needed.has(chainId)),
          );
          expect(removed.reduce((sum, { freesBytes }) => sum + freesBytes, 0)).toBe(gone.size * 100);
          expect(plan.missingBytes).toBe(Math.max(0, plan.wantedBytes - gone.size * 100));

          for (const { id, reason, idleMs } of removed) {
            const one = byId.get(id);
            expect(one?.users).toEqual([]);
            expect(one?.pin).toBeUndefined();
            expect(one?.leaseMs).toBe(0);
            expect(one?.quietMs).toBeGreaterThanOrEqual(rules.minimumAgeMs);
            if (reason === "expired") expect(idleMs).toBeGreaterThanOrEqual(rules.maximumAgeMs);
            else expect(plan.pressed).toBe(true);
          }
          const forSpace = removed.filter(({ reason }) => reason === "space");
          const idle = forSpace.map(({ idleMs }) => idleMs);
          expect(idle).toEqual(idle.toSorted((a, b) => b - a));
          // Without the last one there would have been too little.
          const last = forSpace.at(-1);
          if (last !== undefined) expect(gone.size * 100 - last.freesBytes).toBeLessThan(plan.wantedBytes);
          if (!plan.pressed) expect(forSpace).toEqual([]);
          // What stays although space is missing has a reason of its own.
          if (plan.missingBytes > 0) {
            expect(plan.decisions.filter(({ reason }) => reason === "unneeded")).toEqual([]);
          }
        },
      ),
    );
  });
});

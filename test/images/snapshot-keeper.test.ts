import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Digest } from "../../src/common/ids.ts";
import { planCollection, SnapshotKeeper } from "../../src/images/snapshot-keeper.ts";
import type { SnapshotIds } from "../../src/images/snapshot-record.ts";

const idOf = (name: string) => `sha256:${name.padStart(64, "0")}` as Digest;

/** "a", "b<a": b lies on a. */
function snapshots(...texts: readonly string[]): SnapshotIds[] {
  return texts.map((text) => {
    const [name = "", parent] = text.split("<");
    return { chainId: idOf(name), parentChainId: parent === undefined ? undefined : idOf(parent), diffId: idOf(name) };
  });
}

const names = (found: readonly SnapshotIds[]) => found.map(({ chainId }) => chainId.replace(/^sha256:0*/, ""));

describe("planCollection()", () => {
  test.each<[string, readonly string[], readonly string[], readonly string[]]>([
    ["nothing of what is needed", ["a", "b<a", "c<b"], ["c"], []],
    ["what lies above the needed", ["a", "b<a", "c<b"], ["a"], ["c", "b"]],
    ["everything, children first", ["a", "b<a", "c<b", "d<a"], [], ["c", "b", "d", "a"]],
    ["another branch", ["a", "b<a", "d<a"], ["d"], ["b"]],
    ["orphans of a missing parent", ["b<a"], ["x"], ["b"]],
  ])("removes %s", (_name, all, needed, removed) => {
    expect(names(planCollection(snapshots(...all), new Set(needed.map(idOf))))).toEqual(removed);
  });

  test("never removes a parent before its child, or anything a needed one stands on", () => {
    const tree = fc
      .array(fc.nat(), { maxLength: 30 })
      .map((parents) =>
        snapshots(
          ...parents.map((parent, index) =>
            index === 0 || parent % 5 === 0 ? `e${index}` : `e${index}<e${parent % index}`,
          ),
        ),
      );
    fc.assert(
      fc.property(tree, fc.array(fc.nat(30)), (all, picks) => {
        const needed = new Set(picks.map((pick) => idOf(`e${pick}`)));
        const removed = planCollection(all, needed).map(({ chainId }) => chainId);
        const left = new Set(all.map(({ chainId }) => chainId));
        for (const chainId of removed) {
          expect(all.some((other) => left.has(other.chainId) && other.parentChainId === chainId)).toBe(false);
          expect(needed.has(chainId)).toBe(false);
          left.delete(chainId);
        }
        for (const { chainId, parentChainId } of all) {
          if (left.has(chainId) && parentChainId !== undefined) expect(left.has(parentChainId)).toBe(true);
        }
      }),
    );
  });
});

describe("SnapshotKeeper", () => {
  test("a snapshot that is needed while others are being removed stays", async () => {
    const present = new Map(snapshots("a", "b<a", "c<b").map((snapshot) => [snapshot.chainId, snapshot]));
    const keeper: SnapshotKeeper = new SnapshotKeeper(
      {
        list: () => [...present.values()],
        remove: async (chainId) => {
          present.delete(chainId);
          // A pull begins while the topmost layer is being deleted.
          keeper.hold("pull", [idOf("b")]);
        },
      },
      () => [],
    );
    await keeper.collect();
    expect(names([...present.values()])).toEqual(["a", "b"]);
    keeper.letGo("pull");
    keeper.hold("other", [idOf("a")]);
    await Promise.all([keeper.collect(), keeper.collect()]);
  });
});

import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LayerFixture } from "../images/layer-fixture.ts";
import { type Change, LayerModel } from "../images/layer-model.ts";
import { type ListedNode, listTree } from "../images/tree-listing.ts";
import { cannotRun } from "../support/requirements.ts";

const name = fc.constantFrom("a", "b", "c");
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const linkTarget = fc.oneof(
  path,
  path.map((to) => `../${to}`),
);
const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom(
    ...(["directory", "directory", "directory", "file", "file", "file", "file", "symlink", "symlink"] as const),
    ...(["hardlink", "hardlink", "fifo", "character", "whiteout", "whiteout", "opaque"] as const),
  ),
  path,
  target: linkTarget,
  mode: fc.constantFrom(0o644, 0o600, 0o755, 0o4755, 0o1777, 0o2750, 0o711),
  owner: fc.integer({ min: 0, max: 9 }),
  position: fc.nat({ max: 20 }),
});
const layers = fc.array(fc.array(change, { minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 4 });

describe.skipIf(cannotRun("tar"))("layers unpacked in parallel", () => {
  let fixture: LayerFixture;
  let models = 0;
  beforeAll(async () => {
    fixture = await LayerFixture.start();
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test("make the tree that GNU tar makes of them one after the other", async () => {
    await fc.assert(
      fc.asyncProperty(layers, async (image) => {
        models++;
        const model = new LayerModel(join(fixture.directory, `model-${models}`));
        const archives: Buffer[] = [];
        for (const changes of image) archives.push(await model.apply(changes));
        const top = await fixture.apply(archives);
        const got = listTree(await fixture.mount(top));
        const want = listTree(model.directory);
        expect(Object.fromEntries(strip(got))).toEqual(Object.fromEntries(strip(want)));
        // Overlayfs ends a link between layers when one side is copied up, so ours may be fewer; never others.
        for (const [at, { linkedTo }] of got) {
          if (linkedTo !== undefined) expect(groupOf(want, at)).toBe(groupOf(want, linkedTo));
        }
        expect(fixture.leftovers()).toEqual([]);
        await fixture.unmountAll();
      }),
      { numRuns: Number(process.env["ORACLE_RUNS"] ?? 200) },
    );
  }, 600_000);
});

function strip(tree: ReadonlyMap<string, ListedNode>): [string, Omit<ListedNode, "linkedTo">][] {
  return [...tree].map(([at, { linkedTo: _, ...node }]) => [at, node]);
}

function groupOf(tree: ReadonlyMap<string, ListedNode>, at: string): string {
  return tree.get(at)?.linkedTo ?? at;
}

import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SnapshotForm } from "../../src/images/snapshot-form.ts";
import { generatedLayers } from "../images/generated-layers.ts";
import { LayerFixture } from "../images/layer-fixture.ts";
import { LayerModel } from "../images/layer-model.ts";
import { type ListedNode, listTree } from "../images/tree-listing.ts";
import { cannotRun } from "../support/requirements.ts";

/** Every other layer in another form, as on a node that was switched in between. */
const forms: Readonly<Record<string, (index: number) => SnapshotForm>> = {
  overlay: () => "overlay",
  erofs: () => "erofs",
  "erofs on overlay on erofs": (index) => (index % 2 === 0 ? "erofs" : "overlay"),
  "overlay on erofs on overlay": (index) => (index % 2 === 0 ? "overlay" : "erofs"),
};

describe.skipIf(cannotRun("tar")).each(Object.entries(forms))(
  "layers unpacked in parallel, as %s,",
  (_name, formOf) => {
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
        fc.asyncProperty(generatedLayers, async (image) => {
          models++;
          const model = new LayerModel(join(fixture.directory, `model-${models}`));
          const archives: Buffer[] = [];
          for (const changes of image) archives.push(await model.apply(changes));
          const top = await fixture.apply(archives, "none", formOf);
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
  },
);

function strip(tree: ReadonlyMap<string, ListedNode>): [string, Omit<ListedNode, "linkedTo">][] {
  return [...tree].map(([at, { linkedTo: _, ...node }]) => [at, node]);
}

function groupOf(tree: ReadonlyMap<string, ListedNode>, at: string): string {
  return tree.get(at)?.linkedTo ?? at;
}

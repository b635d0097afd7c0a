import { mkdirSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { unmount } from "../src/system/mount.ts";
import { mountOverlay } from "../src/system/overlay.ts";
import { type ListedNode, listTree } from "../test/images/tree-listing.ts";
import type { BenchImage } from "./images.ts";
import { place } from "./place.ts";
import type { Side, Sides } from "./side.ts";

/** Enough to see what kind of difference it is. */
const shownDifferences = 40;

type Tree = ReadonlyMap<string, ListedNode>;

/**
 * Compares what both sides made of an image, path by path: kind, mode, owner, modification time, link target, hard
 * links, device, extended attributes, size and content.
 * @returns how many paths there are
 * @throws Error that lists the differences
 */
export async function expectSameTrees(sides: Sides, image: BenchImage): Promise<number> {
  const [ours, theirs] = [await readTree(sides[0], image), await readTree(sides[1], image)];
  const paths = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  const different = paths.filter((path) => !isDeepStrictEqual(ours.get(path), theirs.get(path)));
  if (different.length === 0 && ours.size > 1) return ours.size;
  const lines = different.slice(0, shownDifferences).map((path) => differenceText(path, ours, theirs));
  throw new Error(
    `${different.length} of ${paths.length} paths of ${image.reference} differ, podling first:\n${lines.join("\n")}`,
  );
}

async function readTree(side: Side, image: BenchImage): Promise<Tree> {
  const tree = new Map(await listLayers(side, image));
  const root = tree.get("");
  // containerd leaves the root directory the time of its unpacking, whatever the image says.
  if (root !== undefined) tree.set("", { ...root, mtime: "" });
  return tree;
}

function listLayers(side: Side, image: BenchImage): Promise<Tree> {
  return side.withLayers(image, (lower) => listMerged(side, image, lower));
}

async function listMerged(side: Side, image: BenchImage, lower: readonly string[]): Promise<Tree> {
  const [only = ""] = lower;
  if (lower.length !== image.layers) {
    throw new Error(`${side.name} has ${lower.length} layers of ${image.reference}, which has ${image.layers}`);
  }
  if (lower.length === 1) return listTree(only);
  mkdirSync(place.view, { recursive: true });
  mountOverlay({ lower, target: place.view });
  try {
    return listTree(place.view);
  } finally {
    await unmount(place.view);
  }
}

function differenceText(path: string, ours: Tree, theirs: Tree): string {
  const text = (node: ListedNode | undefined) => (node === undefined ? "absent" : JSON.stringify(node));
  return `  ${JSON.stringify(path)}\n    ${text(ours.get(path))}\n    ${text(theirs.get(path))}`;
}

import fc from "fast-check";
import type { Change } from "./layer-model.ts";

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
/** The layers of one image, bottom first; LayerModel leaves out what has no one outcome. */
export const generatedLayers = fc.array(fc.array(change, { minLength: 1, maxLength: 10 }), {
  minLength: 1,
  maxLength: 4,
});

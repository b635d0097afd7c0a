import type { LayerDirectory, LayerNode } from "./layer-directory.ts";

/**
 * Moves all that one directory of a layer's tree holds into another. Where both have a name, directories merge and
 * otherwise the moved one wins; a moved whiteout hides what lies below the name it meets.
 * @param unsettled directories without an entry of their own: others keep their attributes when they merge into one
 */
export function mergeLayerDirectories(from: LayerDirectory, to: LayerDirectory, unsettled: Set<LayerDirectory>): void {
  const pairs = [{ from, to }];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    if (pair.from.isOpaque) pair.to.isOpaque = true;
    for (const name of pair.from.hidden) pair.to.hidden.add(name);
    for (const [name, moved] of pair.from.children) {
      const met = pair.to.children.get(name);
      if (moved.kind === "directory" && met?.kind === "directory") {
        settleMerged(moved, met, unsettled);
        pairs.push({ from: moved, to: met });
        continue;
      }
      if (met !== undefined) {
        pair.to.hidden.add(name);
        forget(met, unsettled);
      }
      if (moved.kind === "directory") moved.parent = pair.to;
      else if (moved.kind === "lower-link" && moved.directory === pair.from) moved.directory = pair.to;
      pair.to.children.set(name, moved);
    }
  }
}

/** The one that has an entry decides; where neither has, the target is settled by itself. */
function settleMerged(from: LayerDirectory, to: LayerDirectory, unsettled: Set<LayerDirectory>): void {
  if (unsettled.delete(from)) return;
  to.attributes = from.attributes;
  unsettled.delete(to);
}

/** What is replaced has nothing to be settled any more. */
function forget(node: LayerNode, unsettled: Set<LayerDirectory>): void {
  const pending = [node];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if (at.kind !== "directory") continue;
    unsettled.delete(at);
    for (const child of at.children.values()) pending.push(child);
  }
}

import { type BytePath, joinPath, quotePath } from "../../system/byte-path.ts";
import { opaqueValue, opaqueXattr } from "../finish-layer.ts";
import { invalidLayer } from "../layer-error.ts";
import type { LayerFixUps, LowerLink } from "../layer-job.ts";
import type { NodeAttributes } from "../plan-unpack.ts";
import type { IndexDirectory, IndexNode, IndexSpecial } from "./index-node.ts";
import { impliedAttributes, type LayerDirectory, type LayerNode, type LowerLinkNode } from "./layer-directory.ts";

/** A layer's tree as an index can hold it, and what only its parents can settle. */
export interface FinishedTree {
  readonly root: IndexDirectory;
  readonly hidesLower: boolean;
  readonly fixUps: LayerFixUps;
}

const whiteout: IndexSpecial = {
  kind: "char",
  attributes: { ...impliedAttributes, mode: 0 },
  numbers: { major: 0, minor: 0 },
};

/** One directory on the walk. */
interface Step {
  readonly from: LayerDirectory;
  readonly path: BytePath;
  readonly into: Map<BytePath, IndexNode>;
  /** Whether nothing of the lower layers shows in it, by a mark above it or on it. */
  readonly isCovered: boolean;
}

/**
 * Ends a layer's tree after its last entry: whiteouts and opaque directories in overlayfs's own form, placeholders of
 * links to lower files as empty files, implied directories with the attributes that all of them have.
 * @param hasParent whether layers lie below; without, there is nothing to hide and nothing to learn from them
 * @param isHiding whether a whiteout at the path has something to hide: overlayfs lists one of nothing in directories
 *   that it does not merge
 */
export function finishLayerTree(
  root: LayerDirectory,
  hasParent: boolean,
  isHiding: (path: BytePath) => boolean = () => true,
): FinishedTree {
  // Overlayfs does not look for the opaque mark on a layer's root: such a layer is a new bottom instead.
  const hidesLower = hasParent && root.isOpaque;
  return new Finishing(hasParent && !hidesLower, isHiding).run(root, hidesLower);
}

class Finishing {
  readonly #seesLower: boolean;
  readonly #isHiding: (path: BytePath) => boolean;
  readonly #implied: BytePath[] = [];
  readonly #whiteouts: BytePath[] = [];
  readonly #lowerLinks: { readonly path: BytePath; readonly node: LowerLinkNode }[] = [];
  /** A stack of its own: through links an archive can nest directories deeper than calls may. */
  readonly #steps: Step[] = [];

  constructor(seesLower: boolean, isHiding: (path: BytePath) => boolean) {
    this.#seesLower = seesLower;
    this.#isHiding = isHiding;
  }

  run(from: LayerDirectory, hidesLower: boolean): FinishedTree {
    const root = this.#directory(from, "", !this.#seesLower, false);
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) this.#fill(step);
    const lowerLinks = this.#lowerLinks
      .sort((a, b) => a.node.order - b.node.order)
      .map(({ path, node }): LowerLink => ({ path, target: node.target, overtaken: node.isOvertaken }));
    const [missing] = lowerLinks;
    if (missing !== undefined && !this.#seesLower) {
      const { path, target } = missing;
      throw invalidLayer(`hard link ${quotePath(path)} has the target ${quotePath(target)}, which does not exist`);
    }
    const fixUps = { impliedDirectories: this.#implied, whiteouts: this.#whiteouts, lowerLinks };
    return { root, hidesLower, fixUps };
  }

  #directory(from: LayerDirectory, path: BytePath, isCovered: boolean, isHidden: boolean): IndexDirectory {
    const into = new Map<BytePath, IndexNode>();
    const isOpaque = this.#seesLower && (isHidden || from.isOpaque);
    if (from.attributes === undefined && !isCovered && !isHidden) this.#implied.push(path);
    this.#steps.push({ from, path, into, isCovered: isCovered || isOpaque });
    const attributes = from.attributes ?? impliedAttributes;
    return { kind: "directory", attributes: isOpaque ? markedOpaque(attributes) : attributes, children: into };
  }

  #fill({ from, path, into, isCovered }: Step): void {
    for (const [name, child] of from.children) {
      const at = joinPath(path, name);
      into.set(
        name,
        child.kind === "directory"
          ? this.#directory(child, at, isCovered, from.hidden.has(name))
          : this.#leaf(child, at),
      );
    }
    if (isCovered) return;
    for (const name of from.hidden) {
      if (from.children.has(name) || !this.#isHiding(joinPath(path, name))) continue;
      into.set(name, { ...whiteout });
      this.#whiteouts.push(joinPath(path, name));
    }
  }

  #leaf(node: Exclude<LayerNode, LayerDirectory>, path: BytePath): IndexNode {
    if (node.kind !== "lower-link") return node;
    if (node.found !== undefined) return node.found;
    this.#lowerLinks.push({ path, node });
    return { kind: "file", attributes: impliedAttributes, sizeBytes: 0, contentOffsetBytes: 0 };
  }
}

function markedOpaque(attributes: NodeAttributes): NodeAttributes {
  return { ...attributes, xattrs: [...attributes.xattrs, { name: opaqueXattr, value: opaqueValue }] };
}

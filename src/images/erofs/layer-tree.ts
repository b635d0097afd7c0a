import { type BytePath, joinPath, quotePath } from "../../system/byte-path.ts";
import { invalidLayer, oversizedLayer } from "../layer-error.ts";
import { type Place, pathOf, planUnpack, type UnpackOperation } from "../plan-unpack.ts";
import type { TarConsumer, TarEntry } from "../tar-reader.ts";
import { indexAttributes } from "./index-attributes.ts";
import { LayerDirectory, type LayerLeaf, type LowerLinkNode } from "./layer-directory.ts";
import { addDirectory, findDirectory } from "./layer-tree-lookup.ts";

/**
 * The tree that one layer's entries make, in memory and without their content: what LayerWriter makes on a disk, with
 * the same verdicts.
 */
export class LayerTree implements TarConsumer {
  readonly root = new LayerDirectory(undefined, "");
  contentBytes = 0;
  nodeCount = 0;
  readonly #maxNodes: number;
  readonly #hasParent: boolean;
  /** Hard links to lower files, by their target. */
  readonly #lowerLinks = new Map<BytePath, LowerLinkNode[]>();
  /** The directory of the last entry: archives have their files directory by directory. */
  #last: { readonly path: BytePath; readonly directory: LayerDirectory } | undefined;

  /** @param options.maxNodes how many files and directories the layer may make */
  constructor(options: { readonly maxNodes: number; readonly hasParent: boolean }) {
    this.#maxNodes = options.maxNodes;
    this.#hasParent = options.hasParent;
  }

  begin(entry: TarEntry, contentOffsetBytes: number): void {
    this.#execute(planUnpack(entry), contentOffsetBytes);
  }

  data(): void {
    // Content stays where it is.
  }

  end(): void {
    // A file is whole with its header.
  }

  #execute(operation: UnpackOperation, contentOffsetBytes: number): void {
    switch (operation.kind) {
      case "skip":
        return;
      case "root":
        this.root.attributes = indexAttributes(operation.attributes);
        return;
      case "opaque":
        this.#make(operation.directory).isOpaque = true;
        return;
      case "whiteout":
        // Only noted: the specification has whiteouts hide lower layers alone, wherever in the archive they stand.
        this.#make(operation.place.directory).hidden.add(operation.place.name);
        this.#count();
        return;
      case "directory":
        this.#makeDirectory(operation.place).attributes = indexAttributes(operation.attributes);
        return;
      case "file": {
        const { sizeBytes } = operation;
        const attributes = indexAttributes(operation.attributes);
        this.contentBytes += sizeBytes;
        this.#create(operation.place, { kind: "file", attributes, sizeBytes, contentOffsetBytes });
        return;
      }
      case "link":
        this.#makeLink(operation.place, operation.target);
        return;
      case "symlink": {
        const { attributes, target } = operation;
        this.#create(operation.place, { kind: "symlink", attributes, target });
        return;
      }
      case "node": {
        const { node: kind, numbers } = operation;
        const attributes = indexAttributes(operation.attributes);
        this.#create(operation.place, { kind, attributes, numbers });
        return;
      }
      default:
        operation satisfies never;
    }
  }

  #count(): void {
    this.nodeCount++;
    if (this.nodeCount > this.#maxNodes) throw oversizedLayer(`it makes more than ${this.#maxNodes} files`);
  }

  /** The directory at a path, made with its parents where missing. */
  #make(path: BytePath): LayerDirectory {
    if (this.#last?.path === path) return this.#last.directory;
    const directory = findDirectory(this.root, path, (parent, name) => {
      this.#count();
      return addDirectory(parent, name);
    });
    // With something that makes what is missing, the search always ends somewhere.
    if (directory === undefined) throw new RangeError(`directory ${quotePath(path)} was not made`);
    this.#last = { path, directory };
    return directory;
  }

  /** Puts a node that is no directory in place of whatever stands there. */
  #create(place: Place, node: LayerLeaf): void {
    this.#count();
    const directory = this.#vacate(place);
    this.#overtake(directory, place);
    directory.children.set(place.name, node);
  }

  /** @returns the place's directory, which has nothing of that name any more */
  #vacate(place: Place): LayerDirectory {
    const parent = this.#make(place.directory);
    if (!parent.children.has(place.name)) return parent;
    this.#remove(parent, place.name);
    // The way may have led through what is gone.
    const again = this.#make(place.directory);
    if (again.children.has(place.name)) throw invalidLayer(`${quotePath(pathOf(place))} can't be replaced`);
    return again;
  }

  #makeDirectory(place: Place): LayerDirectory {
    const parent = this.#make(place.directory);
    this.#overtake(parent, place);
    const standing = parent.children.get(place.name);
    if (standing?.kind === "directory") return standing;
    if (standing === undefined) {
      const made = addDirectory(parent, place.name);
      this.#count();
      return made;
    }
    this.#remove(parent, place.name);
    const again = this.#make(place.directory);
    const found = again.children.get(place.name);
    return found?.kind === "directory" ? found : addDirectory(again, place.name);
  }

  #makeLink(place: Place, target: Place): void {
    this.#count();
    const parent = this.#make(place.directory);
    const found = findDirectory(this.root, target.directory)?.children.get(target.name);
    // Where this layer implies a directory, a lower one may have a link to link to: the commit will see.
    if (found === undefined || (found.kind === "directory" && found.attributes === undefined)) {
      this.#linkToLower(place, pathOf(target));
      return;
    }
    if (found.kind === "lower-link") {
      // A name of its own, as LayerWriter gives it one.
      if (parent.children.get(place.name) !== found) this.#linkToLower(place, found.target, found.isOvertaken);
      return;
    }
    if (found.kind === "directory") {
      throw invalidLayer(`hard link ${quotePath(pathOf(place))} has a directory as its target`);
    }
    // Removing the name first would remove the target when the two are one file already.
    if (parent.children.get(place.name) === found) return;
    const into = this.#vacate(place);
    this.#overtake(into, place);
    if (findDirectory(this.root, target.directory)?.children.get(target.name) !== found) {
      throw invalidLayer(`hard link ${quotePath(pathOf(place))} replaces the directory that holds its target`);
    }
    into.children.set(place.name, found);
  }

  #linkToLower(place: Place, target: BytePath, isOvertaken = false): void {
    if (!this.#hasParent) {
      throw invalidLayer(
        `hard link ${quotePath(pathOf(place))} has the target ${quotePath(target)}, which does not exist`,
      );
    }
    this.#count();
    const directory = this.#vacate(place);
    this.#overtake(directory, place);
    const { name } = place;
    const link: LowerLinkNode = { kind: "lower-link", target, isOvertaken, order: this.nodeCount, directory, name };
    directory.children.set(name, link);
    const links = this.#lowerLinks.get(target);
    if (links === undefined) this.#lowerLinks.set(target, [link]);
    else links.push(link);
  }

  /** A link made before this entry keeps the lower file that the entry takes the name of. */
  #overtake(directory: LayerDirectory, place: Place): void {
    if (this.#lowerLinks.size === 0) return;
    for (const path of [pathOf(place), joinPath(directory.path, place.name)]) {
      for (const link of this.#lowerLinks.get(path) ?? []) link.isOvertaken = true;
    }
  }

  /** Removes what this layer has at a name. The lower layers' content there is gone with it, for good. */
  #remove(parent: LayerDirectory, name: BytePath): void {
    parent.children.delete(name);
    parent.hidden.add(name);
    this.#last = undefined;
  }
}

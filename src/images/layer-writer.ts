import { type BytePath, joinPath, quotePath } from "../system/byte-path.ts";
import {
  closeFd,
  createFileAt,
  makeDirectoryAt,
  makeLinkAt,
  makeNodeAt,
  makeSymlinkAt,
  removeTreeAt,
  setTimes,
  statAt,
  writeAll,
} from "../system/root-directory.ts";
import { invalidLayer, oversizedLayer } from "./layer-error.ts";
import { LayerParents, type OpenDirectory } from "./layer-parents.ts";
import { applyAttributes, applyNodeAttributes } from "./node-attributes.ts";
import { type NodeAttributes, type Place, pathOf, planUnpack, type UnpackOperation } from "./plan-unpack.ts";
import type { TarConsumer, TarEntry } from "./tar-reader.ts";

/** What the archive has said about a layer's tree so far, beyond what stands on the disk. Paths have no links. */
export interface LayerNotes {
  /** Directories with an entry of their own; their attributes are set last, for every new name in them changes their times. */
  readonly directories: Map<BytePath, NodeAttributes>;
  /** Directories without one, parents first. */
  readonly implied: Set<BytePath>;
  /** Names whose lower content this layer hides, whatever it puts there itself. */
  readonly hidden: Set<BytePath>;
  /** Directories that hide what the lower layers have in them. */
  readonly opaque: Set<BytePath>;
  /** Hard links whose target this layer does not have: name to target. */
  readonly lowerLinks: Map<BytePath, BytePath>;
  /** Targets of those, as the archive writes them, where this layer has put something of its own since. */
  readonly overtaken: Set<BytePath>;
}

/**
 * Writes the entries of one layer below a root descriptor, with synchronous system calls: it runs in a worker thread
 * of its own, where a call costs 1 µs and a trip through the thread pool 20.
 */
export class LayerWriter implements TarConsumer, Disposable {
  readonly notes: LayerNotes = {
    directories: new Map(),
    implied: new Set(),
    hidden: new Set(),
    opaque: new Set(),
    lowerLinks: new Map(),
    overtaken: new Set(),
  };
  contentBytes = 0;
  nodeCount = 0;
  readonly #maxNodes: number;
  readonly #hasParent: boolean;
  readonly #parents: LayerParents;
  /** Targets of hard links to lower files. */
  readonly #lowerTargets = new Set<BytePath>();
  #file: { readonly fd: number; readonly attributes: NodeAttributes } | undefined;

  /** @param maxNodes how many files and directories the layer may make */
  constructor(rootFd: number, options: { readonly maxNodes: number; readonly hasParent: boolean }) {
    this.#maxNodes = options.maxNodes;
    this.#hasParent = options.hasParent;
    this.#parents = new LayerParents(rootFd, (path) => {
      this.notes.implied.add(path);
      this.#count();
    });
  }

  begin(entry: TarEntry): void {
    this.#execute(planUnpack(entry));
  }

  data(bytes: Uint8Array): void {
    // A skipped entry may have content, too.
    if (this.#file === undefined) return;
    writeAll(this.#file.fd, bytes);
    this.contentBytes += bytes.length;
  }

  end(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#file = undefined;
    try {
      applyAttributes(file.fd, file.attributes);
      setTimes(file.fd, file.attributes.mtimeSeconds, file.attributes.mtimeNanoseconds);
    } finally {
      closeFd(file.fd);
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeFd(this.#file.fd);
    this.#file = undefined;
    this.#parents[Symbol.dispose]();
  }

  #execute(operation: UnpackOperation): void {
    switch (operation.kind) {
      case "skip":
        return;
      case "root":
        this.notes.directories.set("", operation.attributes);
        return;
      case "opaque":
        this.notes.opaque.add(this.#parents.make(operation.directory).path);
        return;
      case "whiteout":
        // Only noted: the specification has whiteouts hide lower layers alone, wherever in the archive they stand.
        this.notes.hidden.add(joinPath(this.#parents.make(operation.place.directory).path, operation.place.name));
        this.#count();
        return;
      case "directory":
        this.#makeDirectory(operation.place, operation.attributes);
        return;
      case "file":
        this.#file = {
          fd: this.#createNew(operation.place, (parent, name) => createFileAt(parent.fd, name)),
          attributes: operation.attributes,
        };
        return;
      case "link":
        this.#makeLink(operation.place, operation.target);
        return;
      case "symlink":
        this.#createNew(operation.place, (parent, name) => {
          if (!makeSymlinkAt(parent.fd, name, operation.target)) return undefined;
          applyNodeAttributes(parent.fd, name, operation.attributes, "symlink");
          return true;
        });
        return;
      case "node":
        this.#createNew(operation.place, (parent, name) => {
          if (!makeNodeAt(parent.fd, name, operation.node, operation.numbers)) return undefined;
          applyNodeAttributes(parent.fd, name, operation.attributes, operation.node);
          return true;
        });
        return;
      default:
        operation satisfies never;
    }
  }

  #count(): void {
    this.nodeCount++;
    if (this.nodeCount > this.#maxNodes) throw oversizedLayer(`it makes more than ${this.#maxNodes} files`);
  }

  /** Makes a node that is no directory, in place of whatever stands there. */
  #createNew<Result>(place: Place, create: (parent: OpenDirectory, name: BytePath) => Result | undefined): Result {
    this.#count();
    const parent = this.#parents.make(place.directory);
    this.#overtake(parent, place);
    const first = create(parent, place.name);
    if (first !== undefined) return first;
    this.#remove(this.#parents.make(place.directory), place.name);
    const second = create(this.#parents.make(place.directory), place.name);
    if (second === undefined) throw invalidLayer(`${quotePath(pathOf(place))} can't be replaced`);
    return second;
  }

  #makeDirectory(place: Place, attributes: NodeAttributes): void {
    let parent = this.#parents.make(place.directory);
    this.#overtake(parent, place);
    if (!makeDirectoryAt(parent.fd, place.name, 0o700)) {
      if (statAt(parent.fd, place.name)?.kind !== "directory") {
        this.#remove(parent, place.name);
        parent = this.#parents.make(place.directory);
        makeDirectoryAt(parent.fd, place.name, 0o700);
      }
    } else {
      this.#count();
    }
    const path = joinPath(parent.path, place.name);
    this.notes.directories.set(path, attributes);
    this.notes.implied.delete(path);
  }

  #makeLink(place: Place, target: Place): void {
    this.#count();
    let parent = this.#parents.make(place.directory);
    let from = this.#parents.find(target.directory);
    const found = from === undefined ? undefined : statAt(from.fd, target.name);
    // Where this layer implies a directory, a lower one may have a link to link to: the commit will see.
    const isImplied = from !== undefined && this.notes.implied.has(joinPath(from.path, target.name));
    if (from === undefined || found === undefined || isImplied) {
      this.#linkToLower(place, pathOf(target));
      return;
    }
    const source = joinPath(from.path, target.name);
    const lowerTarget = this.notes.lowerLinks.get(source);
    if (lowerTarget !== undefined) {
      // A name of its own: sharing the placeholder would leave an empty file when the first name is replaced.
      if (source !== joinPath(this.#parents.make(place.directory).path, place.name)) {
        this.#linkToLower(place, lowerTarget);
      }
      return;
    }
    if (found.kind === "directory")
      throw invalidLayer(`hard link ${quotePath(pathOf(place))} has a directory as its target`);
    // find() may have closed the parent's descriptor.
    parent = this.#parents.make(place.directory);
    this.#overtake(parent, place);
    if (makeLinkAt(from.fd, target.name, parent.fd, place.name)) return;
    // Removing the name first would remove the target when the two are one file already.
    const standing = statAt(parent.fd, place.name);
    if (standing?.kind !== "directory" && standing?.inode === found.inode) return;
    this.#remove(parent, place.name);
    parent = this.#parents.make(place.directory);
    from = this.#parents.find(target.directory);
    if (from === undefined || !makeLinkAt(from.fd, target.name, parent.fd, place.name)) {
      throw invalidLayer(`hard link ${quotePath(pathOf(place))} replaces the directory that holds its target`);
    }
  }

  /** Puts an empty file where a link to a lower layer's file belongs: the commit gives it content. */
  #linkToLower(place: Place, target: BytePath): void {
    if (!this.#hasParent) {
      throw invalidLayer(
        `hard link ${quotePath(pathOf(place))} has the target ${quotePath(target)}, which does not exist`,
      );
    }
    closeFd(this.#createNew(place, (parent, name) => createFileAt(parent.fd, name)));
    const path = joinPath(this.#parents.make(place.directory).path, place.name);
    this.notes.lowerLinks.set(path, target);
    this.#lowerTargets.add(target);
  }

  /** A link made before this entry keeps the lower file that the entry takes the name of. */
  #overtake(parent: OpenDirectory, { directory, name }: Place): void {
    if (this.#lowerTargets.size === 0) return;
    for (const path of [joinPath(parent.path, name), joinPath(directory, name)]) {
      if (this.#lowerTargets.has(path)) this.notes.overtaken.add(path);
    }
  }

  /** Removes what this layer has at a name. The lower layers' content there is gone with it, for good. */
  #remove(parent: OpenDirectory, name: BytePath): void {
    const path = joinPath(parent.path, name);
    const { directories, implied, hidden, lowerLinks } = this.notes;
    const forget = (below: BytePath) => {
      directories.delete(`${path}${below}`);
      implied.delete(`${path}${below}`);
      lowerLinks.delete(`${path}${below}`);
    };
    // What `hidden` and `opaque` hold below the path may stay: lower content there is out of sight from now on.
    for (const _ of removeTreeAt(parent.fd, name, forget));
    this.#parents.invalidate();
    hidden.add(path);
  }
}

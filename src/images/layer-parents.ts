import { SystemError } from "../common/errors.ts";
import { type BytePath, joinPath, nameOf, parentOf, quotePath } from "../system/byte-path.ts";
import { closeFd, makeDirectoryAt, openDirectoryIn, readLinkAt, statAt } from "../system/root-directory.ts";
import { invalidLayer } from "./layer-error.ts";

/** An open directory of the layer. The descriptor belongs to the cache that gave it. */
export interface OpenDirectory {
  readonly fd: number;
  /** Its path without links. */
  readonly path: BytePath;
}

const maxOpen = 64;
const maxLinks = 40;

/**
 * Finds the directories that entries go into. Every lookup starts at the layer's root descriptor and can't leave it:
 * openat2 takes paths without links, and links are resolved here, component by component, with "/" and ".." bounded by
 * the root. Directories that archives imply without an entry are made on the way.
 */
export class LayerParents implements Disposable {
  readonly #rootFd: number;
  readonly #onImplied: (path: BytePath) => void;
  /** By the path as archives write it, oldest use first. */
  readonly #open = new Map<BytePath, OpenDirectory>();

  /** @param onImplied told of every directory made without an entry of its own, parents first */
  constructor(rootFd: number, onImplied: (path: BytePath) => void) {
    this.#rootFd = rootFd;
    this.#onImplied = onImplied;
  }

  /** The directory at a path, made with its parents where missing. Use it before the next call. */
  make(path: BytePath): OpenDirectory {
    const found = this.find(path);
    if (found !== undefined) return found;
    const resolved = this.#resolve(path, true);
    if (resolved === undefined) throw new SystemError(`make directory ${quotePath(path)}: it does not stay`);
    return this.#keep(path, resolved);
  }

  /** The directory at a path, or undefined when this layer has none there (yet). Use it before the next call. */
  find(path: BytePath): OpenDirectory | undefined {
    if (path === "") return { fd: this.#rootFd, path: "" };
    const cached = this.#open.get(path);
    if (cached !== undefined) return cached;
    const direct = openDirectoryIn(this.#rootFd, path);
    if (direct !== undefined) return this.#keep(path, { fd: direct, path });
    const resolved = this.#resolve(path, false);
    return resolved === undefined ? undefined : this.#keep(path, resolved);
  }

  /** Forgets every lookup: after a name was removed or replaced, a path may lead elsewhere. */
  invalidate(): void {
    for (const { fd } of this.#open.values()) closeFd(fd);
    this.#open.clear();
  }

  [Symbol.dispose](): void {
    this.invalidate();
  }

  #keep(path: BytePath, directory: OpenDirectory): OpenDirectory {
    if (this.#open.size >= maxOpen) {
      for (const [oldest, { fd }] of this.#open) {
        closeFd(fd);
        this.#open.delete(oldest);
        break;
      }
    }
    this.#open.set(path, directory);
    return directory;
  }

  #resolve(path: BytePath, make: boolean): OpenDirectory | undefined {
    const pending = path.split("/").reverse();
    let at: BytePath = "";
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        at = parentOf(at);
        continue;
      }
      const step = this.#step(at, name, make);
      if (step === undefined) return undefined;
      if (step.kind === "directory") {
        at = joinPath(at, name);
        continue;
      }
      links++;
      if (links > maxLinks) throw invalidLayer(`${quotePath(path)} leads through more than ${maxLinks} symbolic links`);
      if (step.target.startsWith("/")) at = "";
      pending.push(...step.target.split("/").reverse());
    }
    const fd = openDirectoryIn(this.#rootFd, at === "" ? "." : at);
    return fd === undefined ? undefined : { fd, path: at };
  }

  /** One component: what stands there, made as a directory if wanted. */
  #step(
    directory: BytePath,
    name: BytePath,
    make: boolean,
  ): { readonly kind: "directory" } | { readonly kind: "symlink"; readonly target: BytePath } | undefined {
    using parent = this.#openAgain(directory);
    const found = statAt(parent.fd, name);
    if (found?.kind === "directory") return { kind: "directory" };
    if (found?.kind === "symlink") return { kind: "symlink", target: readLinkAt(parent.fd, name) };
    if (found !== undefined) {
      throw invalidLayer(`an entry lies below ${quotePath(joinPath(directory, name))}, which is a ${found.kind}`);
    }
    if (!make) return undefined;
    makeDirectoryAt(parent.fd, name, 0o755);
    this.#onImplied(joinPath(directory, name));
    return { kind: "directory" };
  }

  #openAgain(path: BytePath): { readonly fd: number } & Disposable {
    const fd = openDirectoryIn(this.#rootFd, path);
    if (fd === undefined) throw new SystemError(`open directory ${quotePath(nameOf(path))}: it went away`);
    return { fd, [Symbol.dispose]: () => closeFd(fd) };
  }
}

import { lstatSync, mkdirSync, readdirSync, readlinkSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { output } from "../support/command.ts";
import { type TarEntry, writeTar } from "../support/tar-writer.ts";

/** One change that a generated layer makes; what can't be done on the tree it meets is left out. */
export interface Change {
  readonly kind: "directory" | "file" | "symlink" | "hardlink" | "fifo" | "character" | "whiteout" | "opaque";
  /** Path as the archive writes it; may lead through links. */
  readonly path: string;
  /** Of a link. */
  readonly target: string;
  readonly mode: number;
  readonly owner: number;
  /** Where a whiteout goes among the other entries. */
  readonly position: number;
}

type Node = "directory" | "other" | { readonly link: string } | undefined;

/**
 * The tree that layers make when each is applied onto the one before: GNU tar extracts on a plain directory, whiteouts
 * are removals made before it. Changes whose outcome would depend on the order of entries are left out, as no honest
 * builder emits them.
 */
export class LayerModel {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
    utimesSync(directory, 0, 0);
  }

  /** Applies one layer. @returns its archive */
  async apply(changes: readonly Change[]): Promise<Buffer> {
    const before = this.#directoryTimes();
    const layer = new LayerInterpreter((path) => this.#look(path));
    const removals = changes.flatMap((change) => layer.remove(change));
    for (const { removed } of removals) {
      for (const path of removed) rmSync(join(this.directory, path), { recursive: true, force: true });
    }
    this.#restoreTimes(before, layer.described);
    const times = this.#directoryTimes();
    const entries = changes.flatMap((change) => layer.add(change));
    // tar itself replaces a directory only when it is empty.
    for (const path of layer.replaced) rmSync(join(this.directory, path), { recursive: true, force: true });
    if (entries.length > 0) {
      const options = ["-xpPf", "-", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--delay-directory-restore"];
      await output(["tar", ...options, "-C", this.directory], { input: writeTar(entries) });
    }
    this.#restoreTimes(times, layer.described);
    const all = [...entries];
    for (const { entry, position } of removals) all.splice(position % (all.length + 1), 0, entry);
    return writeTar(all);
  }

  #look(path: string): Node {
    try {
      const stat = lstatSync(join(this.directory, path));
      if (stat.isSymbolicLink()) return { link: readlinkSync(join(this.directory, path)) };
      return stat.isDirectory() ? "directory" : "other";
    } catch {
      return undefined;
    }
  }

  /** readdir's own recursion follows links. */
  #directories(at = ""): string[] {
    const below = readdirSync(join(this.directory, at), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => this.#directories(under(at, entry.name)));
    return [at, ...below];
  }

  #directoryTimes(): Map<string, number> {
    return new Map(this.#directories().map((path) => [path, lstatSync(join(this.directory, path)).mtimeMs / 1000]));
  }

  /** Directories without an entry of their own keep their times, or have none worth telling when they are new. */
  #restoreTimes(times: ReadonlyMap<string, number>, described: ReadonlySet<string>): void {
    for (const path of this.#directories()) {
      const seconds = times.get(path) ?? 0;
      if (!described.has(path)) utimesSync(join(this.directory, path), seconds, seconds);
    }
  }
}

/** Where an archive's path leads, and what was met on the way. */
interface Route {
  readonly path: string;
  readonly through: readonly string[];
  readonly links: readonly string[];
}

class LayerInterpreter {
  /** Directories with an entry of their own, without links. */
  readonly described = new Set<string>();
  /** Nodes that an entry of another kind takes the place of, without links. */
  readonly replaced: string[] = [];
  readonly #look: (path: string) => Node;
  readonly #own = new Map<string, Node>();
  readonly #removed: string[] = [];
  /** What later changes must leave as it is. */
  readonly #used: string[] = [];

  constructor(look: (path: string) => Node) {
    this.#look = look;
  }

  /** Whiteouts come first: they concern the layers below alone. */
  remove(change: Change): { removed: string[]; entry: TarEntry; position: number }[] {
    if (change.kind !== "whiteout" && change.kind !== "opaque") return [];
    const [parent, name] = cut(change.path);
    const route = this.#route(change.kind === "opaque" ? change.path : parent);
    if (route === undefined || this.#at(route.path) !== "directory") return [];
    const removed = change.kind === "whiteout" ? [under(route.path, name)] : this.#childrenOf(route.path);
    if (removed.some((path) => this.#isTaken(path))) return [];
    this.#use(route);
    this.#removed.push(...removed);
    const mark = change.kind === "whiteout" ? under(parent, `.wh.${name}`) : under(change.path, ".wh..wh..opq");
    return [{ removed, entry: { name: mark }, position: change.position }];
  }

  add(change: Change): TarEntry[] {
    if (change.kind === "whiteout" || change.kind === "opaque") return [];
    const [parent, name] = cut(change.path);
    const route = this.#route(parent);
    if (route === undefined) return [];
    const path = under(route.path, name);
    const standing = this.#at(path);
    const merges = change.kind === "directory" && standing === "directory" && !this.#own.has(path);
    if (this.#own.has(path) || (!merges && this.#isTaken(path))) return [];
    // An entry that replaces a link on its own way: tar looks the way up again, we do not.
    if (route.links.some((link) => within(path, link))) return [];
    // tar can't make a directory where a dangling link stands in for a parent.
    if (route.path !== "" && !this.#isMakeable(route.path)) return [];
    const base = {
      name: change.path,
      mode: change.mode,
      uid: change.owner,
      gid: change.owner,
      mtimeSeconds: 1e9 + change.owner,
    };
    const entry = this.#entry(change, path, base);
    if (entry === undefined) return [];
    this.#use(route);
    if (standing !== undefined && !merges) this.replaced.push(path);
    this.#own.set(
      path,
      change.kind === "directory" ? "directory" : change.kind === "symlink" ? { link: change.target } : "other",
    );
    if (change.kind === "directory") this.described.add(path);
    return [entry];
  }

  #entry(change: Change, path: string, base: TarEntry): TarEntry | undefined {
    switch (change.kind) {
      case "directory":
        // In a setgid directory the kernel would give new directories its group; ours belong to root wherever they are.
        return { ...base, mode: change.mode & ~0o2000, type: "directory" };
      case "file":
        return { ...base, body: `${change.path} ${change.mode}`, xattrs: { "user.k": String(change.owner) } };
      case "symlink":
        return { ...base, type: "symlink", target: change.target };
      case "hardlink": {
        const [parent, name] = cut(change.target);
        const route = this.#route(parent);
        if (route === undefined || name === "..") return undefined;
        const target = under(route.path, name);
        const found = this.#at(target);
        if (found === undefined || found === "directory" || within(path, target) || within(target, path))
          return undefined;
        this.#use(route);
        this.#used.push(target);
        return { name: change.path, type: "hardlink", target: change.target };
      }
      case "fifo":
        return { ...base, type: "fifo" };
      default:
        return { ...base, type: "character", device: { major: 5, minor: change.owner } };
    }
  }

  /** Follows a directory's path; undefined when it leads nowhere a directory could be, or out of the tree. */
  #route(from: string): Route | undefined {
    const pending = from.split("/").reverse();
    const links: string[] = [];
    const through: string[] = [];
    let at = "";
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (at === "") return undefined;
        at = cut(at)[0];
        continue;
      }
      const next = under(at, name);
      const found = this.#at(next);
      if (found === "other" || links.length > 8) return undefined;
      if (found !== undefined && found !== "directory") {
        // Through links of its own a layer's entries are covered by the tables.
        if (this.#own.has(next)) return undefined;
        links.push(next);
        pending.push(...found.link.split("/").reverse());
      } else {
        through.push(next);
        at = next;
      }
    }
    if (links.length > 0 && this.#at(at) !== "directory") return undefined;
    return { path: at, through, links };
  }

  #at(path: string): Node {
    if (path === "") return "directory";
    if (this.#own.has(path)) return this.#own.get(path);
    for (let above = cut(path)[0]; above !== ""; above = cut(above)[0]) {
      const own = this.#own.get(above);
      // A directory that replaced another node has nothing of the layers below.
      if (own !== undefined && (own !== "directory" || this.#look(above) !== "directory")) return undefined;
    }
    if (this.#removed.some((removed) => within(removed, path))) {
      return [...this.#own.keys()].some((own) => within(path, own)) ? "directory" : undefined;
    }
    const below = this.#look(path);
    if (below !== undefined) return below;
    return [...this.#own.keys()].some((own) => within(path, own)) ? "directory" : undefined;
  }

  #childrenOf(path: string): string[] {
    return ["a", "b", "c"].map((name) => under(path, name)).filter((child) => this.#look(child) !== undefined);
  }

  #isMakeable(path: string): boolean {
    for (let at = path; at !== ""; at = cut(at)[0]) {
      const found = this.#at(at);
      if (found !== undefined && found !== "directory") return false;
    }
    return true;
  }

  #isTaken(path: string): boolean {
    return [...this.#used, ...this.#own.keys()].some((used) => within(path, used));
  }

  #use(route: Route): void {
    this.#used.push(...route.through, ...route.links);
  }
}

function cut(path: string): [string, string] {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? ["", path] : [path.slice(0, slash), path.slice(slash + 1)];
}

function under(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}

function within(directory: string, path: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

import { type BytePath, joinPath, quotePath } from "../../system/byte-path.ts";
import { invalidLayer } from "../layer-error.ts";
import { LayerDirectory } from "./layer-directory.ts";

const maxLinks = 40;
/** NAME_MAX. An archive's own names are looked at before; those in the targets of links are not. */
const maxNameBytes = 255;
/** PATH_MAX without its NUL: what lies deeper no process could name, and the overlay form of a layer could not make. */
const maxPathBytes = 4095;

/**
 * Finds the directory that a path of an archive leads to in a layer's tree, through the layer's own links, with "/" and
 * ".." bounded by the root.
 * @param make makes a directory that is missing on the way; without it a missing one ends the search
 * @returns undefined when this layer has no such directory (yet)
 * @throws AgentError InvalidArgument when a file stands in the way, or links go round
 */
export function findDirectory(
  root: LayerDirectory,
  path: BytePath,
  make?: (parent: LayerDirectory, name: BytePath) => LayerDirectory,
): LayerDirectory | undefined {
  const pending = path.split("/").reverse();
  let at = root;
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = at.parent ?? at;
      continue;
    }
    if (name.length > maxNameBytes) {
      throw invalidLayer(`${quotePath(path)} leads through a name of ${name.length} bytes, ${quotePath(name)}`);
    }
    const found = at.children.get(name) ?? make?.(at, name);
    if (found === undefined) return undefined;
    if (found.kind === "directory") {
      at = found;
      continue;
    }
    if (found.kind !== "symlink") {
      const kind = found.kind === "lower-link" ? "file" : found.kind;
      throw invalidLayer(`an entry lies below ${quotePath(joinPath(at.path, name))}, which is a ${kind}`);
    }
    links++;
    if (links > maxLinks) throw invalidLayer(`${quotePath(path)} leads through more than ${maxLinks} symbolic links`);
    if (found.target.startsWith("/")) at = root;
    pending.push(...found.target.split("/").reverse());
  }
  return at;
}

/** Makes an empty directory in another. */
export function addDirectory(parent: LayerDirectory, name: BytePath): LayerDirectory {
  const made = new LayerDirectory(parent, name);
  if (made.path.length > maxPathBytes) {
    throw invalidLayer(`directory ${quotePath(made.path)} lies deeper than ${maxPathBytes} bytes of path`);
  }
  parent.children.set(name, made);
  return made;
}

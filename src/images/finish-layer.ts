import { SystemError } from "../common/errors.ts";
import { ancestorsOf, type BytePath, nameOf, parentOf, quotePath } from "../system/byte-path.ts";
import { setXattr } from "../system/extended-attributes.ts";
import { closeFd, makeNodeAt, openDirectoryIn, setMode, setTimes, statAt } from "../system/root-directory.ts";
import { invalidLayer } from "./layer-error.ts";
import type { LayerFixUps } from "./layer-job.ts";
import type { LayerNotes } from "./layer-writer.ts";
import { applyAttributes } from "./node-attributes.ts";

export const opaqueXattr = "trusted.overlay.opaque";
export const opaqueValue = Buffer.from("y");

/**
 * Ends a layer's tree after its last entry: whiteouts and opaque directories in overlayfs's own form, then attributes
 * and times of the directories.
 * @param hasParent whether layers lie below; without, there is nothing to hide and nothing to learn from them
 * @returns what only the commit can settle, and whether the layer hides all that lies below it
 */
export function finishLayer(
  rootFd: number,
  notes: LayerNotes,
  hasParent: boolean,
): { readonly fixUps: LayerFixUps; readonly hidesLower: boolean } {
  // Overlayfs does not look for the opaque mark on a layer's root: such a layer is a new bottom instead.
  const hidesLower = hasParent && notes.opaque.has("");
  const seesLower = hasParent && !hidesLower;
  const whiteouts = seesLower ? makeWhiteouts(rootFd, notes) : [];
  if (seesLower) markOpaque(rootFd, notes);
  settleDirectories(rootFd, notes);
  if (!seesLower) {
    for (const [path, target] of notes.lowerLinks) {
      throw invalidLayer(`hard link ${quotePath(path)} has the target ${quotePath(target)}, which does not exist`);
    }
    return { fixUps: { impliedDirectories: [], whiteouts: [], lowerLinks: [] }, hidesLower };
  }
  const impliedDirectories = [...notes.implied].filter((path) => !isCovered(path, notes));
  // The root gets its attributes from below as well, unless the archive names it.
  if (!notes.directories.has("")) impliedDirectories.unshift("");
  const lowerLinks = [...notes.lowerLinks].map(([path, target]) => ({
    path,
    target,
    overtaken: notes.overtaken.has(target),
  }));
  return { fixUps: { impliedDirectories, whiteouts, lowerLinks }, hidesLower };
}

/** Whether the lower layers' content at the path is out of sight, by a mark on it or above it. */
function isCovered(path: BytePath, notes: LayerNotes): boolean {
  if (notes.hidden.has(path)) return true;
  return ancestorsOf(path).some((above) => notes.hidden.has(above) || notes.opaque.has(above));
}

function makeWhiteouts(rootFd: number, notes: LayerNotes): BytePath[] {
  const made: BytePath[] = [];
  for (const path of notes.hidden) {
    const above = ancestorsOf(path);
    if (above.some((directory) => notes.hidden.has(directory) || notes.opaque.has(directory))) continue;
    const parent = openDirectoryIn(rootFd, parentOf(path));
    // A later entry put something else where the whiteout's directory was; then nothing lower shows through.
    if (parent === undefined) continue;
    try {
      if (statAt(parent, nameOf(path)) !== undefined) continue;
      makeNodeAt(parent, nameOf(path), "char", { major: 0, minor: 0 });
      made.push(path);
    } finally {
      closeFd(parent);
    }
  }
  return made;
}

function markOpaque(rootFd: number, notes: LayerNotes): void {
  for (const path of new Set([...notes.opaque, ...notes.hidden])) {
    withDirectory(rootFd, path, (fd) => setXattr(fd, opaqueXattr, opaqueValue));
  }
}

function settleDirectories(rootFd: number, notes: LayerNotes): void {
  if (!notes.directories.has("")) withDirectory(rootFd, "", settleImplied);
  for (const path of notes.implied) withDirectory(rootFd, path, settleImplied);
  for (const [path, attributes] of notes.directories) {
    const found = withDirectory(rootFd, path, (fd) => {
      applyAttributes(fd, attributes);
      setTimes(fd, attributes.mtimeSeconds, attributes.mtimeNanoseconds);
    });
    if (!found) throw new SystemError(`directory ${quotePath(path)} of the layer went away`);
  }
}

/** Gives a directory that no archive describes the same attributes whenever and wherever it is made. */
export function settleImplied(fd: number): void {
  // The process's umask had its say when it was made.
  setMode(fd, 0o755);
  setTimes(fd, 0, 0);
}

/** @returns false when the path is no directory of this layer */
function withDirectory(rootFd: number, path: BytePath, use: (fd: number) => void): boolean {
  const fd = openDirectoryIn(rootFd, path);
  if (fd === undefined) return false;
  try {
    use(fd);
  } finally {
    closeFd(fd);
  }
  return true;
}

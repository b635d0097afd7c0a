import { type BytePath, joinPath, parentOf, quotePath } from "../system/byte-path.ts";
import { invalidLayer } from "./layer-error.ts";

const maxLinks = 40;

/**
 * Follows a path as a process in the container would, "/" and ".." bounded by the root.
 * @param path may lead through links
 * @param followLast whether a link at its end is followed
 * @param linkTarget the target of the link at a path without links; undefined for a directory or nothing. `isLast` tells whether
 *   the path ends there; before, it throws when something stands there that can have nothing below it
 * @returns the path without links; its last components may not exist
 * @throws AgentError InvalidArgument when links go round, and whatever `linkTarget` throws
 */
export function followLinks(
  path: BytePath,
  followLast: boolean,
  linkTarget: (path: BytePath, isLast: boolean) => BytePath | undefined,
): BytePath {
  const pending = path.split("/").reverse();
  let at: BytePath = "";
  let links = 0;
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = parentOf(at);
      continue;
    }
    const next = joinPath(at, name);
    const isLast = pending.length === 0;
    const target = isLast && !followLast ? undefined : linkTarget(next, isLast);
    if (target === undefined) {
      at = next;
      continue;
    }
    links++;
    if (links > maxLinks) throw invalidLayer(`${quotePath(path)} leads through more than ${maxLinks} symbolic links`);
    if (target.startsWith("/")) at = "";
    pending.push(...target.split("/").reverse());
  }
  return at;
}

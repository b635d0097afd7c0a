import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { AgentError, errnoOf } from "../common/errors.ts";

/** As many links as the kernel follows in one path (path_resolution(7)). */
const maxLinks = 40;

/**
 * Where a path of a container leads once the image's symbolic links are followed, none of them out of the root. What
 * doesn't exist counts as a plain name, for links may point into what is mounted later, /proc above all.
 * Only for a root in which nothing runs yet.
 * @param rootfs the root on the host
 * @param path absolute path in the container
 * @returns an absolute path in the container, without links
 * @throws AgentError FailedPrecondition when the links don't end
 */
export function resolveInRootfs(rootfs: string, path: string): string {
  const left = path.split("/");
  let done: readonly string[] = [];
  for (let links = 0; left.length > 0; ) {
    const name = left.shift() ?? "";
    if (name === "" || name === ".") continue;
    if (name === "..") {
      done = done.slice(0, -1);
      continue;
    }
    const target = readLink(join(rootfs, ...done, name));
    if (target === undefined) {
      done = [...done, name];
      continue;
    }
    if (++links > maxLinks) {
      throw new AgentError(
        "FailedPrecondition",
        `Can't use ${JSON.stringify(path.slice(0, 200))} of the image: it leads through more than ${maxLinks} links`,
      );
    }
    if (target.startsWith("/")) done = [];
    left.unshift(...target.split("/"));
  }
  return `/${done.join("/")}`;
}

/**
 * Refuses a working directory that the image's links lead into /proc: a runtime that leaks a descriptor would start the
 * process outside of the container (CVE-2024-21626).
 * @throws AgentError InvalidArgument
 */
export function checkWorkingDirectory(rootfs: string, cwd: string): void {
  const end = resolveInRootfs(rootfs, cwd);
  if (end !== "/proc" && !end.startsWith("/proc/")) return;
  throw new AgentError(
    "InvalidArgument",
    `Invalid working_dir ${JSON.stringify(cwd.slice(0, 200))}: must not lead into /proc, as it does in this image`,
  );
}

/** @returns undefined for what is no link, or isn't there */
function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (["EINVAL", "ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) return undefined;
    throw new AgentError("SystemFailure", `Can't follow ${JSON.stringify(path.slice(0, 200))}`, { cause: error });
  }
}

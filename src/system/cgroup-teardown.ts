import { existsSync, readdirSync } from "node:fs";
import { readdir, rmdir, writeFile } from "node:fs/promises";
import { delay } from "../common/deadline.ts";
import { errnoOf, SystemError } from "../common/errors.ts";
import { type CgroupLayout, cgroupDirectories, readIfThere } from "./cgroup.ts";

/** Longest pause between two looks at a group that empties. */
const longestPauseMs = 50;

/** The processes of a group and of the groups below it, in all trees. */
export function listCgroupPids(layout: CgroupLayout, path: string): readonly number[] {
  const pids = new Set<number>();
  for (const directory of cgroupDirectories(layout, path).flatMap(withChildren)) {
    for (const line of (readIfThere(`${directory}/cgroup.procs`) ?? "").split("\n")) {
      // 0 stands for a process of a PID namespace we don't see; it can't be signalled.
      if (Number(line) > 0) pids.add(Number(line));
    }
  }
  return [...pids];
}

/**
 * Ends every process of a group and of the groups below it, forks that race with us included.
 * @throws SystemError when some are still there at the deadline
 */
export async function killCgroup(layout: CgroupLayout, path: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    await killOnce(layout, path);
    const left = listCgroupPids(layout, path);
    if (left.length === 0) return;
    if (performance.now() >= deadline) {
      throw new SystemError(`kill cgroup "${path}": ${left.length} processes still there, the first is ${left[0]}`, {
        errno: "EBUSY",
      });
    }
    await delay(pauseMs);
  }
}

/**
 * Removes a group and the groups below it from every tree. Gone already counts as done.
 * @throws SystemError EBUSY when a process still holds one at the deadline
 */
export async function removeCgroup(layout: CgroupLayout, path: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  await Promise.all(standing(layout, path).map((root) => removeTreeOf(root, deadline)));
}

async function removeTreeOf(root: string, deadline: number): Promise<void> {
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const busy = await removeOnce(root);
    if (busy === undefined) return;
    if (performance.now() >= deadline) {
      throw new SystemError(`remove cgroup "${busy}": EBUSY, a process is still in it`, { errno: "EBUSY" });
    }
    // The last process leaves the group a moment after its exit was reported.
    await delay(pauseMs);
  }
}

/** @returns a directory that is still in use, or undefined when all have gone */
async function removeOnce(root: string): Promise<string | undefined> {
  let busy: string | undefined;
  for (const directory of await withChildrenAsync(root)) busy ??= await tryRemove(directory);
  return busy;
}

/** Removing a group waits for the kernel's one lock over all of them, so it is done off the event loop. */
async function tryRemove(directory: string): Promise<string | undefined> {
  try {
    await rmdir(directory);
  } catch (error) {
    const errno = errnoOf(error) ?? String(error);
    if (errno === "EBUSY" || errno === "ENOTEMPTY") return directory;
    if (errno !== "ENOENT") throw new SystemError(`remove cgroup "${directory}": ${errno}`, { errno, cause: error });
  }
  return undefined;
}

async function killOnce(layout: CgroupLayout, path: string): Promise<void> {
  const directories = (await Promise.all(standing(layout, path).map(withChildrenAsync))).flat();
  // cgroup.kill is of kernel 5.14 and takes the groups below along; it can't miss a fork.
  const top = directories.at(-1);
  if (layout.kind === "v2" && top !== undefined && (await tryWrite(`${top}/cgroup.kill`, "1"))) return;
  // Frozen, nothing forks between our look and our signal; thawed, the signals arrive.
  for (const directory of directories) await tryWrite(`${directory}/freezer.state`, "FROZEN");
  for (const pid of listCgroupPids(layout, path)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if (errnoOf(error) !== "ESRCH") throw error;
    }
  }
  for (const directory of directories) await tryWrite(`${directory}/freezer.state`, "THAWED");
}

/** @returns whether the file was there and took the text */
async function tryWrite(file: string, text: string): Promise<boolean> {
  try {
    await writeFile(file, text, { flag: "r+" });
    return true;
  } catch {
    return false;
  }
}

/** Mostly the runtime has removed the group already: a look that takes no thread saves a wait for one in every tree. */
function standing(layout: CgroupLayout, path: string): readonly string[] {
  return cgroupDirectories(layout, path).filter((directory) => existsSync(directory));
}

/** A group's directory after all below it. */
function withChildren(directory: string): readonly string[] {
  try {
    const below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [...below.flatMap(({ name }) => withChildren(`${directory}/${name}`)), directory];
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function withChildrenAsync(directory: string): Promise<readonly string[]> {
  try {
    const below = (await readdir(directory, { withFileTypes: true })).filter((entry) => entry.isDirectory());
    const children = await Promise.all(below.map(({ name }) => withChildrenAsync(`${directory}/${name}`)));
    return [...children.flat(), directory];
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

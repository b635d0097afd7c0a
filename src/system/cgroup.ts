import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { errnoOf, SystemError } from "../common/errors.ts";

/**
 * Where control groups are mounted. On v1 every controller has a tree of its own; the same path names one group in
 * each, and `trees` lists them all, with the controller-less ones (systemd's, and v2's beside v1).
 */
export interface CgroupLayout {
  readonly kind: "v1" | "v2";
  /** Mount points of all trees. */
  readonly trees: readonly string[];
  /** Mount point by v1 controller; empty on v2. */
  readonly treeOf: ReadonlyMap<string, string>;
  /** Names such as "memory", of v1's trees or of v2's root. */
  readonly controllers: ReadonlySet<string>;
}

/** A tree as mountinfo shows it. */
interface CgroupMount {
  readonly target: string;
  readonly version: 1 | 2;
  /** v1: what this tree controls. */
  readonly controllers: readonly string[];
}

/**
 * The layout of the host this process sees.
 * @throws SystemError when no control groups are mounted
 */
export function detectCgroups(): CgroupLayout {
  const mounts = parseCgroupMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  const v1 = mounts.filter(({ version }) => version === 1);
  const v2 = mounts.find(({ version }) => version === 2);
  if (v1.some(({ controllers }) => controllers.length > 0)) {
    const treeOf = new Map(v1.flatMap(({ target, controllers }) => controllers.map((name) => [name, target])));
    return { kind: "v1", trees: mounts.map(({ target }) => target), treeOf, controllers: new Set(treeOf.keys()) };
  }
  if (v2 === undefined) throw new SystemError('find control groups: none is mounted below "/sys/fs/cgroup"');
  const controllers = readFileSync(`${v2.target}/cgroup.controllers`, "utf8").trim().split(/\s+/);
  return { kind: "v2", trees: [v2.target], treeOf: new Map(), controllers: new Set(controllers) };
}

/**
 * The cgroup mounts below /sys/fs/cgroup, from lines of /proc/self/mountinfo such as
 * `39 31 0:28 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory`.
 */
export function parseCgroupMounts(mountinfo: string): readonly CgroupMount[] {
  return mountinfo.split("\n").flatMap((line): readonly CgroupMount[] => {
    const [mount = "", fileSystem = ""] = line.split(" - ");
    const target = mount.split(" ")[4] ?? "";
    const [type, , options = ""] = fileSystem.split(" ");
    // A container's own view of the trees may be mounted elsewhere; the host's is here (file-hierarchy(7)).
    if (target !== "/sys/fs/cgroup" && !target.startsWith("/sys/fs/cgroup/")) return [];
    if (type === "cgroup2") return [{ target, version: 2, controllers: [] }];
    if (type !== "cgroup") return [];
    const plain = new Set(["rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "seclabel"]);
    const controllers = options.split(",").filter((option) => !plain.has(option) && !option.includes("="));
    return [{ target, version: 1, controllers }];
  });
}

/** Whether memory and swap together can be limited. */
export function supportsSwapLimit(layout: CgroupLayout): boolean {
  if (layout.kind === "v1") {
    const tree = layout.treeOf.get("memory");
    return tree !== undefined && existsSync(`${tree}/memory.memsw.limit_in_bytes`);
  }
  // The root group has no limits; the file shows in a child's group only, so ask the kernel whether it swaps at all.
  return layout.controllers.has("memory") && existsSync("/proc/swaps");
}

/**
 * The directories of one group.
 * @param path absolute, such as "/podling-default/<id>"
 * @throws SystemError for a path that is the root or leaves it
 */
export function cgroupDirectories(layout: CgroupLayout, path: string): readonly string[] {
  const clean = checkedPath(path);
  return layout.trees.map((tree) => `${tree}${clean}`);
}

/**
 * The directory of a group where one controller shows, there or not. @param controller ignored on v2
 * @returns undefined when nothing mounts that controller @throws SystemError for a path that is the root or leaves it
 */
export function cgroupDirectory(layout: CgroupLayout, path: string, controller: string): string | undefined {
  const tree = layout.kind === "v2" ? layout.trees[0] : layout.treeOf.get(controller);
  return tree === undefined ? undefined : `${tree}${checkedPath(path)}`;
}

/** Makes a group and its parents in every tree. @throws SystemError */
export function createCgroup(layout: CgroupLayout, path: string): void {
  for (const directory of cgroupDirectories(layout, path)) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o755 });
    } catch (cause) {
      throw failed("make", directory, cause);
    }
  }
}

/**
 * How many processes of the group, and of groups below it, the kernel has killed for want of memory; 0 when the group has
 * gone. Whose limit it was, the group's or one further up, makes no difference: the victim's own group counts it.
 * v2: `oom_kill 2` in memory.events, which counts groups below too. v1: the same line in memory.oom_control, which does not.
 */
export function readOomKills(layout: CgroupLayout, path: string): number {
  const clean = checkedPath(path);
  if (layout.kind === "v2") return readCount(`${layout.trees[0]}${clean}/memory.events`);
  const tree = layout.treeOf.get("memory");
  return tree === undefined ? 0 : countKillsBelow(`${tree}${clean}`);
}

function countKillsBelow(directory: string): number {
  const own = readCount(`${directory}/memory.oom_control`);
  return childGroups(directory).reduce((sum, name) => sum + countKillsBelow(`${directory}/${name}`), own);
}

function readCount(file: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(readIfThere(file) ?? "")?.[1] ?? 0);
}

/** Names of the groups right below a group's directory; none when it has gone. */
export function childGroups(directory: string): readonly string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (["ENOENT", "ENODEV"].includes(errnoOf(error) ?? "")) return [];
    throw failed("list", directory, error);
  }
}

/** A file's text, or undefined when it or its group has gone. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    // ENODEV: the group was removed between opening and reading.
    if (["ENOENT", "ENODEV", "ENOTDIR", "EOPNOTSUPP"].includes(errnoOf(error) ?? "")) return undefined;
    throw failed("read", file, error);
  }
}

/** @throws SystemError unless it is an absolute path to something below the root */
function checkedPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "");
  const bad = parts.length === 0 || parts.some((part) => part === "." || part === ".." || part.includes("\0"));
  if (!path.startsWith("/") || bad) {
    throw new SystemError(`use cgroup ${JSON.stringify(path.slice(0, 200))}: must be an absolute path below the root`);
  }
  return `/${parts.join("/")}`;
}

function failed(action: string, path: string, cause: unknown): SystemError {
  const errno = errnoOf(cause);
  return new SystemError(`${action} cgroup "${path}": ${errno ?? String(cause)}`, {
    cause,
    ...(errno !== undefined && { errno }),
  });
}

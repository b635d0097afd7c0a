import { accessSync, constants, readdirSync, readFileSync, statSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import koffi from "koffi";

/** What of this machine matters to an agent. */
export interface HostFacts {
  readonly nodeVersion: string;
  /** Such as "6.1.0-31-amd64". */
  readonly kernel: string;
  /** Effective capabilities, bit n for capability n; see man capabilities(7). */
  readonly capabilities: bigint;
  /** File systems the kernel has or can load. */
  readonly filesystems: ReadonlySet<string>;
  /** undefined: no cgroup file system at /sys/fs/cgroup. */
  readonly cgroupVersion: 1 | 2 | undefined;
  readonly cgroupControllers: ReadonlySet<string>;
  readonly nftablesLibrary: boolean;
  readonly isalLibrary: boolean;
  readonly ipv6: boolean;
  /** Where each program that was asked for is. */
  readonly programs: ReadonlyMap<string, string>;
  /** Files of the directory of CNI networks, by name. */
  readonly cniNetworks: readonly string[];
  /** Files of the directories of CNI plugins. */
  readonly cniPlugins: readonly string[];
  /** Paths of records that the agent could not read and keeps for people to look at. */
  readonly quarantined: readonly string[];
}

/** What the answers depend on; none of the directories need be there. */
export interface HostPlaces {
  /** Names to look up in PATH, or absolute paths. */
  readonly programs: readonly string[];
  /** The agent's root directory. */
  readonly root: string;
  /** Directories of CNI networks and plugins. */
  readonly cni: { readonly confDir: string; readonly binDirs: readonly string[] };
}

export function readHostFacts({ programs, root, cni }: HostPlaces): HostFacts {
  const kernel = release();
  const cgroup = readCgroup();
  const found = programs.map((name) => [name, findProgram(name)] as const);
  return {
    nodeVersion: process.versions.node,
    kernel,
    capabilities: BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(textOf("/proc/self/status"))?.[1] ?? "0"}`),
    filesystems: readFilesystems(kernel),
    cgroupVersion: cgroup.version,
    cgroupControllers: cgroup.controllers,
    nftablesLibrary: canLoad("libnftables.so.1"),
    isalLibrary: canLoad("libisal.so.2"),
    ipv6: textOf("/proc/sys/net/ipv6/conf/all/disable_ipv6").trim() === "0",
    programs: new Map(found.flatMap(([name, path]) => (path === undefined ? [] : [[name, path] as const]))),
    cniNetworks: filesIn(cni.confDir).filter((path) => /\/[^./][^/]*\.(?:conflist|conf|json)$/.test(path)),
    cniPlugins: cni.binDirs.flatMap(filesIn),
    quarantined: filesIn(join(root, "quarantine")),
  };
}

function filesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .toSorted()
      .map((name) => join(directory, name));
  } catch {
    // Such a directory comes with what is first in it.
    return [];
  }
}

function readFilesystems(kernel: string): ReadonlySet<string> {
  const loaded = textOf("/proc/filesystems").matchAll(/^\S*\t(\S+)$/gm);
  // A file system in a module appears in /proc/filesystems only once it is loaded; mount loads it.
  const modules = textOf(`/lib/modules/${kernel}/modules.dep`).matchAll(/\/fs\/(?:.*\/)?([\w-]+)\.ko[.\w]*:/g);
  return new Set([...loaded, ...modules].map((match) => match[1] ?? ""));
}

/** Version 2 names its controllers in one file; version 1 mounts each in a directory of its own (man cgroups(7)). */
function readCgroup(): { readonly version: 1 | 2 | undefined; readonly controllers: ReadonlySet<string> } {
  const root = "/sys/fs/cgroup";
  const unified = textOf(join(root, "cgroup.controllers"));
  if (unified !== "") return { version: 2, controllers: new Set(unified.trim().split(/\s+/)) };
  const mounts = textOf("/proc/self/mountinfo").split("\n");
  const options = mounts.filter((line) => line.includes(" - cgroup ")).map((line) => line.split(" ").at(-1) ?? "");
  const controllers = new Set(options.flatMap((text) => text.split(",")));
  return { version: controllers.size === 0 ? undefined : 1, controllers };
}

function findProgram(name: string): string | undefined {
  const directories = name.startsWith("/")
    ? [""]
    : (process.env["PATH"] ?? "").split(":").filter((part) => part !== "");
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function canLoad(library: string): boolean {
  try {
    koffi.load(library);
    return true;
  } catch {
    return false;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

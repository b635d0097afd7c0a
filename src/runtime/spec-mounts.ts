import { posix } from "node:path";
import { AgentError } from "../common/errors.ts";
import { type BindMount, isImageMount, type MountRequest } from "./container-settings.ts";
import type { OciLinux, OciMount } from "./oci-spec.ts";
import type { BindSource, SpecInput } from "./spec-input.ts";

/** The files of /proc that runc lets a mount replace, as lxcfs does; every other path there could fool the runtime. */
const replaceableProcFiles: ReadonlySet<string> = new Set(
  ["cpuinfo", "diskstats", "loadavg", "meminfo", "net/dev", "slabinfo", "stat", "swaps", "uptime"].map(
    (name) => `/proc/${name}`,
  ),
);

const propagationOption = { private: "rprivate", "host-to-container": "rslave", bidirectional: "rshared" } as const;

interface MountPlan {
  readonly mounts: readonly OciMount[];
  readonly rootfsPropagation: OciLinux["rootfsPropagation"];
}

/**
 * All mounts of a container, parents before children. A mount of the request takes the place of a default one at the
 * same path, and one at /dev the place of all default ones below it.
 * @throws AgentError InvalidArgument naming the mount
 */
export function planMounts(input: SpecInput): MountPlan {
  const asked = input.settings.mounts.map((mount, index) => requestedMount(mount, index, input));
  const taken = uniqueDestinations(asked);
  const free = (mount: OciMount) => !taken.has(mount.destination);
  const volumes = (input.volumes ?? [])
    .map(({ source, destination }) => bind(source, cleanPath("image volume", destination), ["rprivate", "rw"]))
    .filter(free);
  for (const { destination } of volumes) taken.add(destination);
  const base = kernelMounts(input)
    .filter(free)
    .filter(({ destination }) => !(taken.has("/dev") && destination.startsWith("/dev/")));
  const mounts = [...base, ...podMounts(input).filter(free), ...volumes, ...asked];
  return { mounts: mounts.toSorted(byDepth), rootfsPropagation: rootfsPropagation(input.settings.mounts) };
}

/** Image volumes that no mount of the request covers: only these need a directory of their own. */
export function uncoveredVolumes(volumes: readonly string[], mounts: readonly MountRequest[]): readonly string[] {
  const covered = new Set(mounts.map(({ containerPath }) => posix.normalize(containerPath).replace(/(.)\/$/, "$1")));
  const clean = new Set(volumes.map((volume) => cleanPath("image volume", volume)));
  return [...clean].filter((volume) => !covered.has(volume)).toSorted();
}

/** What the kernel itself provides (config-linux.md, "Default Filesystems"), options as containerd's. */
function kernelMounts({ settings }: SpecInput): readonly OciMount[] {
  const writable = settings.security.privileged ? "rw" : "ro";
  return [
    { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", writable] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["nosuid", "noexec", "nodev", "relatime", writable],
    },
  ];
}

/** The pod's own files and shared memory. */
function podMounts({ sandbox, settings }: SpecInput): readonly OciMount[] {
  const access = settings.security.readonlyRootfs ? "ro" : "rw";
  return [
    bind(sandbox.hostnamePath, "/etc/hostname", ["rprivate", access]),
    bind(sandbox.hostsPath, "/etc/hosts", ["rprivate", access]),
    bind(sandbox.resolvConfPath, "/etc/resolv.conf", ["rprivate", access]),
    bind(sandbox.shmPath, "/dev/shm", ["rprivate", "rw"]),
  ];
}

function requestedMount(mount: MountRequest, index: number, input: SpecInput): OciMount {
  const field = `mounts[${index}]`;
  const { recursiveReadOnly, options = [] } = mount;
  if (recursiveReadOnly && input.features?.recursiveReadOnly !== true) {
    throw new AgentError(
      "RROUnsupported",
      `Can't mount ${field} recursively read-only: the OCI runtime or the kernel of this handler can't do that`,
    );
  }
  const readonly = recursiveReadOnly ? "rro" : "ro";
  if (!isImageMount(mount))
    return bindMount(field, mount, input.bindSources, [mount.readonly ? readonly : "rw", ...options]);
  const source = input.imageSources?.get(mount.containerPath);
  if (source === undefined) throw new AgentError("Internal", `The image of ${field} has not been mounted`);
  const destination = cleanPath(`${field}.container_path`, mount.containerPath);
  return bind(source, destination, ["rprivate", readonly, "nodev", ...options]);
}

function bindMount(
  field: string,
  mount: BindMount,
  sources: ReadonlyMap<string, BindSource> | undefined,
  options: readonly string[],
): OciMount {
  if (!mount.hostPath.startsWith("/") || mount.hostPath.includes("\0")) {
    throw invalid(`${field}.host_path`, mount.hostPath, "an absolute path");
  }
  const destination = cleanPath(`${field}.container_path`, mount.containerPath);
  const source = sources?.get(mount.hostPath) ?? { path: mount.hostPath, propagation: "private" };
  checkPropagation(field, mount, source);
  return bind(source.path, destination, [propagationOption[mount.propagation], ...options]);
}

/** Mount events can only pass where the host's mount takes part in them. */
function checkPropagation(field: string, mount: BindMount, source: BindSource): void {
  const passes =
    mount.propagation === "private" ||
    source.propagation === "shared" ||
    (mount.propagation === "host-to-container" && source.propagation === "slave");
  if (passes) return;
  const want = mount.propagation === "bidirectional" ? "a shared mount" : "a shared or slave mount";
  throw new AgentError(
    "InvalidArgument",
    `Can't give ${field} ${JSON.stringify(mount.hostPath.slice(0, 200))} the propagation "${mount.propagation}": the path must be on ${want} of the host`,
  );
}

/** Once one mount passes events, the root above it must pass them on too. */
function rootfsPropagation(mounts: readonly MountRequest[]): OciLinux["rootfsPropagation"] {
  const asked = new Set(mounts.map((mount) => (isImageMount(mount) ? "private" : mount.propagation)));
  if (asked.has("bidirectional")) return "rshared";
  if (asked.has("host-to-container")) return "rslave";
  return undefined;
}

function uniqueDestinations(mounts: readonly OciMount[]): Set<string> {
  const taken = new Set<string>();
  for (const [index, { destination }] of mounts.entries()) {
    if (taken.has(destination)) {
      throw invalid(`mounts[${index}].container_path`, destination, "a path that no other mount uses");
    }
    taken.add(destination);
  }
  return taken;
}

function cleanPath(field: string, path: string): string {
  if (!path.startsWith("/") || path.includes("\0")) throw invalid(field, path, "an absolute path");
  const clean = posix.normalize(path).replace(/(.)\/$/, "$1");
  if (clean === "/") throw invalid(field, path, "a path below the container's root");
  if ((clean === "/proc" || clean.startsWith("/proc/")) && !replaceableProcFiles.has(clean)) {
    throw invalid(field, path, "outside /proc");
  }
  return clean;
}

function bind(source: string, destination: string, options: readonly string[]): OciMount {
  return { destination, type: "bind", source, options: ["rbind", ...options] };
}

function byDepth(left: OciMount, right: OciMount): number {
  return left.destination.split("/").length - right.destination.split("/").length;
}

function invalid(field: string, value: string, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid ${field} ${JSON.stringify(value.slice(0, 200))}: must be ${want}`);
}

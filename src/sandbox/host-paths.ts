import { join } from "node:path";
import type { ContainerId, InstanceName, SandboxId } from "../common/ids.ts";

/** Where one agent keeps what it owns. `root` is on disk, `state` on tmpfs; both absolute. */
export interface HostLayout {
  readonly instance: InstanceName;
  readonly root: string;
  readonly state: string;
}

/** Everything on the host that belongs to one sandbox. */
export interface SandboxPaths {
  /** Bundle of the pod's shim; the shim's working directory, so it outlives every container of the pod. */
  readonly bundle: string;
  /** Where the holder of the pod's PID namespace sees its files when it has ids of its own. */
  readonly rootfs: string;
  readonly hosts: string;
  readonly hostname: string;
  readonly resolvConf: string;
  readonly shm: string;
  readonly namespaces: { readonly net: string; readonly ipc: string; readonly uts: string; readonly user: string };
  /** Pin of the pod's shared PID namespace, if it has one; it goes with the bundle. */
  readonly pidNamespace: string;
  /** cgroup path from the hierarchy's root. */
  readonly cgroup: string;
}

/** Everything on the host that belongs to one container. */
export interface ContainerPaths {
  readonly bundle: string;
  readonly rootfs: string;
  readonly stdio: string;
  /** Where commands run in the container have their FIFOs. */
  readonly execs: string;
  /** Writable layer and overlay work directory's parent. */
  readonly disk: string;
  readonly upper: string;
  readonly work: string;
  /** Parent of the directories behind the image's VOLUMEs. */
  readonly volumes: string;
  /** Parent of the places where layers and volumes are mounted with other owners; goes with the bundle. */
  readonly idMapped: string;
  /** Parent of the places where images are mounted for it; goes with the bundle. */
  readonly imageMounts: string;
  readonly cgroup: string;
}

/** @param cgroupParent what the caller asked for; empty: the agent's own place */
export function sandboxPaths(layout: HostLayout, id: SandboxId, cgroupParent: string): SandboxPaths {
  const bundle = join(layout.state, "sandboxes", id);
  return {
    bundle,
    rootfs: join(bundle, "rootfs"),
    hosts: join(bundle, "hosts"),
    hostname: join(bundle, "hostname"),
    resolvConf: join(bundle, "resolv.conf"),
    shm: join(bundle, "shm"),
    namespaces: {
      // 13 digits, as crictl prints, so that people find the pod's netns with `ip netns`.
      net: join("/run/netns", `podling-${layout.instance}-${id.slice(0, 13)}`),
      ipc: join(bundle, "ns/ipc"),
      uts: join(bundle, "ns/uts"),
      user: join(bundle, "ns/user"),
    },
    pidNamespace: join(bundle, "ns/pid"),
    cgroup: cgroupParent === "" ? `${cgroupRoot(layout)}/${id}` : cgroupParent,
  };
}

export function containerPaths(layout: HostLayout, id: ContainerId, podCgroup: string): ContainerPaths {
  const bundle = join(layout.state, "containers", id);
  const disk = join(layout.root, "containers", id);
  return {
    bundle,
    rootfs: join(bundle, "rootfs"),
    stdio: join(bundle, "stdio"),
    execs: join(bundle, "exec"),
    disk,
    upper: join(disk, "upper"),
    work: join(disk, "work"),
    volumes: join(disk, "volumes"),
    idMapped: join(bundle, "id-mapped"),
    imageMounts: join(bundle, "images"),
    cgroup: `${podCgroup}/${id}`,
  };
}

/** The cgroup under which an agent puts pods whose caller named no parent. */
export function cgroupRoot(layout: HostLayout): string {
  return `/podling-${layout.instance}`;
}

/** The containerd namespace an agent's shims run in: tells them from those of containerd and of other agents. */
export function shimNamespace(layout: HostLayout): string {
  return `podling-${layout.instance}`;
}

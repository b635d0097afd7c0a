import type { ContainerSettings, SelinuxOptions } from "./container-settings.ts";
import type { HostFacts } from "./host-facts.ts";
import type { UserMapping } from "./id-mapping.ts";
import type { OciDevice, OciSeccomp } from "./oci-spec.ts";
import type { RuntimeFeatures } from "./runtime-features.ts";
import type { GrantedDevice } from "./spec-devices.ts";

/** Everything the planner of an OCI spec decides from. */
export interface SpecInput {
  readonly containerId: string;
  readonly containerName: string;
  /** What the user typed, for the annotation other tools read. */
  readonly imageName: string;
  readonly sandbox: SpecSandbox;
  readonly settings: ContainerSettings;
  readonly image: SpecImage;
  readonly user: ResolvedUser;
  readonly facts: HostFacts;
  /** Absolute path of the mounted root file system; absent: `rootfs` in the bundle. */
  readonly rootfsPath?: string;
  /** By host path: where a bind mount really leads. A host path without an entry is used as it is, as a private one. */
  readonly bindSources?: ReadonlyMap<string, BindSource>;
  /** Directories for the image's VOLUMEs. */
  readonly volumes?: readonly VolumeMount[];
  /** The namespace file to join when `settings.security.pid` is a target. */
  readonly targetPidNamespacePath?: string;
  /** Where images are mounted on the host, by container path. */
  readonly imageSources?: ReadonlyMap<string, string>;
  /** What the pod's runtime can do; absent: nothing beyond the least. */
  readonly features?: RuntimeFeatures;
  /** The devices it asked for, as found on the host. */
  readonly devices?: readonly GrantedDevice[];
  /** The profile in the file that `settings.security.seccomp` names. */
  readonly seccompFile?: OciSeccomp;
  /** Names of the AppArmor profiles the kernel has; absent: it has no AppArmor. */
  readonly apparmorProfiles?: ReadonlySet<string>;
  /** The host's devices; only a privileged container gets them. */
  readonly hostDevices?: readonly OciDevice[];
}

/** The pod around the container. A namespace path that is undefined means the host's namespace. */
export interface SpecSandbox {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly hostname: string;
  readonly privileged: boolean;
  readonly netnsPath: string | undefined;
  readonly ipcPath: string | undefined;
  readonly utsPath: string | undefined;
  /** The pod's shared PID namespace, if it has one. */
  readonly pidNamespacePath?: string;
  /** The pod's user namespace and what it maps, if it has one. */
  readonly user?: { readonly path: string; readonly mapping: UserMapping };
  readonly hostsPath: string;
  readonly hostnamePath: string;
  readonly resolvConfPath: string;
  readonly shmPath: string;
  /** Absolute cgroup path. */
  readonly cgroupParent: string;
  /** Kernel parameters of the pod's namespaces that only a process inside can set. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** What the pod's processes and files are marked with on a host with SELinux. */
  readonly selinux?: { readonly options?: SelinuxOptions; readonly level: string };
}

/** The image config's part that shapes a process. */
export interface SpecImage {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly stopSignal: string;
  readonly volumes: readonly string[];
}

/** Who PID 1 runs as. */
export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** Ascending, without repeats, the primary group included. */
  readonly supplementalGroups: readonly number[];
}

export interface BindSource {
  /** The host path with symbolic links resolved. */
  readonly path: string;
  /** What mounts on the host below it do. */
  readonly propagation: "private" | "slave" | "shared";
}

export interface VolumeMount {
  readonly source: string;
  readonly destination: string;
}

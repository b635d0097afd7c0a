import type { Int64 } from "../common/int64.ts";

/** What a caller asks of one container, decoded and checked; the planner turns it into an OCI runtime spec. */
export interface ContainerSettings {
  /** Replaces the image's entrypoint when not empty. */
  readonly command: readonly string[];
  readonly args: readonly string[];
  /** Empty: the image's. */
  readonly workingDir: string;
  readonly envs: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly MountRequest[];
  readonly devices: readonly DeviceRequest[];
  /** Names as "vendor/class=device", without repeats. */
  readonly cdiDevices: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly security: SecurityContext;
  readonly resources: Resources;
}

export type MountRequest = BindMount | ImageMount;

/** A host path in the container. */
export interface BindMount extends MountExtras {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readonly: boolean;
  readonly propagation: "private" | "host-to-container" | "bidirectional";
  /** Its files have the owners that the pod's user namespace maps theirs to. */
  readonly idMapped?: true;
  /** For labelled hosts; kept to be reported back. */
  readonly selinuxRelabel?: true;
}

/** An image's files in the container, read-only. */
export interface ImageMount extends MountExtras {
  /** The image as asked for. Must be on the node already. */
  readonly image: string;
  /** Relative to the image's root; empty: all of it. */
  readonly imageSubPath: string;
  readonly containerPath: string;
}

interface MountExtras {
  /** What is mounted below it is read-only as well. */
  readonly recursiveReadOnly?: true;
  /** Restrictions such as "noexec". */
  readonly options?: readonly string[];
}

export function isImageMount(mount: MountRequest): mount is ImageMount {
  return "image" in mount;
}

/** A device of the host, or all those in a directory. */
export interface DeviceRequest {
  readonly hostPath: string;
  /** Empty: where it is on the host. */
  readonly containerPath: string;
  /** Letters of "rwm". */
  readonly permissions: string;
}

export interface SecurityContext {
  readonly user: UserRequest;
  readonly privileged: boolean;
  readonly readonlyRootfs: boolean;
  readonly noNewPrivileges: boolean;
  readonly capabilities: CapabilityRequest;
  /** undefined: the runtime's defaults; an empty list: none. */
  readonly maskedPaths: readonly string[] | undefined;
  /** undefined: the runtime's defaults; an empty list: none. */
  readonly readonlyPaths: readonly string[] | undefined;
  readonly pid: PidNamespace;
  readonly seccomp: SecurityProfile;
  readonly apparmor: SecurityProfile;
  /** Absent: the pod's. */
  readonly selinux?: SelinuxOptions;
}

/** What confines a process by seccomp or AppArmor. */
export type SecurityProfile =
  /** Nothing was asked: what the node does then. */
  | { readonly kind: "unset" }
  | { readonly kind: "unconfined" }
  | { readonly kind: "runtime-default" }
  /** A seccomp profile's absolute path, or the name of an AppArmor profile that is loaded. */
  | { readonly kind: "localhost"; readonly reference: string };

/** Parts of an SELinux context; an empty one is the node's own. */
export interface SelinuxOptions {
  readonly user: string;
  readonly role: string;
  readonly type: string;
  readonly level: string;
}

/** Which PID namespace a container joins. */
export type PidNamespace =
  | { readonly kind: "pod" }
  | { readonly kind: "container" }
  | { readonly kind: "node" }
  | { readonly kind: "target"; readonly containerId: string };

/** The user a process runs as; `username` wins over `uid`, both over the image's USER. */
export interface UserRequest {
  readonly uid?: number;
  readonly username?: string;
  readonly gid?: number;
  readonly supplementalGroups: readonly number[];
  readonly supplementalGroupsPolicy: "merge" | "strict";
}

/** Names as "CAP_NET_ADMIN" or "ALL", upper case. */
export interface CapabilityRequest {
  readonly add: readonly string[];
  readonly drop: readonly string[];
  /** Added like the others, and kept across the execution of programs by users other than root. */
  readonly ambient?: readonly string[];
}

/** Limits; an absent field is unlimited or the kernel's default. */
export interface Resources {
  readonly cpuPeriodMicros?: Int64;
  readonly cpuQuotaMicros?: Int64;
  readonly cpuShares?: Int64;
  readonly memoryLimitBytes?: Int64;
  readonly memorySwapLimitBytes?: Int64;
  readonly oomScoreAdj: number;
  /** cpuset list such as "0-1,3". */
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly hugepageLimits: readonly { readonly pageSize: string; readonly limitBytes: Int64 }[];
  /** cgroup v2 files by name. */
  readonly unified: Readonly<Record<string, string>>;
}

import type { HostPort } from "../network/host-port.ts";
import type { Resources, SecurityProfile, SelinuxOptions } from "../runtime/container-settings.ts";
import type { UserMapping } from "../runtime/id-mapping.ts";

/** What names a pod sandbox; name, namespace, uid and attempt together are unique among live sandboxes. */
export interface SandboxMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
}

export interface DnsConfig {
  readonly servers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly string[];
}

/** RunPodSandbox's request, decoded and checked field by field. */
export interface SandboxSpec {
  readonly metadata: SandboxMetadata;
  /** Empty: the sandbox's short id. */
  readonly hostname: string;
  /** Absolute, or empty: no container of the pod logs to a file. */
  readonly logDirectory: string;
  /** undefined: the host's resolv.conf. */
  readonly dns: DnsConfig | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Name of a configured handler; empty: the default one. */
  readonly runtimeHandler: string;
  /** Absolute cgroup path; empty: the agent's own place. */
  readonly cgroupParent: string;
  /** Ports of the host that lead to the pod. */
  readonly hostPorts: readonly HostPort[];
  /** As asked for, to be reported back. */
  readonly namespaces: SandboxNamespaces;
  readonly privileged: boolean;
  /** Kernel parameters of the pod's own namespaces, by name with dots. */
  readonly sysctls?: Readonly<Record<string, string>>;
  /** What containers that name no SELinux options of their own get; absent: the host's policy decides. */
  readonly selinux?: SelinuxOptions;
  /** What confines the process that holds the pod's PID namespace; absent: nothing was asked. */
  readonly seccomp?: SecurityProfile;
  readonly apparmor?: SecurityProfile;
  readonly overhead: Resources | undefined;
  readonly resources: Resources | undefined;
}

/** Namespace modes of the pod. Its host name is its own where its network is. */
export interface SandboxNamespaces {
  readonly network: "pod" | "node";
  readonly ipc: "pod" | "node";
  readonly pid: "pod" | "container" | "node";
  /** Whose ids the pod's users are; absent: the host's own. */
  readonly user?: UserMapping;
}

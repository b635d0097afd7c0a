import type { HostFacts } from "./host-facts.ts";
import { ociMappings } from "./id-mapping.ts";
import { type OciSeccomp, type OciSpec, ociVersion } from "./oci-spec.ts";
import { cgroupPath } from "./plan-spec.ts";
import type { SelinuxLabels } from "./selinux-label.ts";
import type { SpecSandbox } from "./spec-input.ts";
import { defaultMaskedPaths, defaultReadonlyPaths } from "./spec-security.ts";

/** What the pod's own annotations are read for: containerd's shim puts tasks of one value into one process. */
type PodIdentity = Pick<SpecSandbox, "id" | "name" | "namespace" | "uid">;

/** A user that owns nothing; reaping the dead of its PID namespace takes no privilege. */
const nobody = 65_534;

export interface PidHolderInput {
  readonly sandbox: PodIdentity &
    Pick<SpecSandbox, "netnsPath" | "ipcPath" | "utsPath" | "user"> & {
      /** Absolute cgroup path. */
      readonly cgroupParent: string;
    };
  /** The directory that {@link preparePidHolder} made. */
  readonly rootfsPath: string;
  readonly facts: Pick<HostFacts, "hasCapSysResource" | "ownOomScoreAdj">;
  readonly confinement?: Confinement;
}

/** What confines the process beyond its having no privilege. */
export interface Confinement {
  readonly seccomp?: OciSeccomp | undefined;
  readonly apparmorProfile?: string | undefined;
  readonly labels?: SelinuxLabels | undefined;
}

/**
 * The OCI spec of the process that keeps a pod's shared PID namespace alive: catatonit in its pause mode, which as
 * PID 1 there also reaps what the containers leave behind. Its task has the sandbox's id.
 */
export function planPidHolder({ sandbox, rootfsPath, facts, confinement = {} }: PidHolderInput): OciSpec {
  const { seccomp, apparmorProfile, labels } = confinement;
  const joined = [
    { type: "network", path: sandbox.netnsPath },
    { type: "ipc", path: sandbox.ipcPath },
    { type: "uts", path: sandbox.utsPath },
    { type: "user", path: sandbox.user?.path },
  ] as const;
  return {
    ociVersion,
    process: {
      terminal: false,
      user: { uid: nobody, gid: nobody, additionalGids: [nobody] },
      args: ["/catatonit", "-P"],
      env: [],
      cwd: "/",
      capabilities: { bounding: [], effective: [], permitted: [] },
      rlimits: [],
      noNewPrivileges: true,
      // With it all of the pod's processes die, so the kernel takes it as late as we may ask; -998 is kubelet's for it.
      oomScoreAdj: facts.hasCapSysResource ? -998 : facts.ownOomScoreAdj,
      ...(apparmorProfile !== undefined && { apparmorProfile }),
      ...(labels?.process !== undefined && { selinuxLabel: labels.process }),
    },
    root: { path: rootfsPath, readonly: true },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "noexec", "mode=755", "size=64k"] },
    ],
    annotations: sandboxAnnotations(sandbox),
    linux: {
      resources: { devices: [{ allow: false, access: "rwm" }] },
      cgroupsPath: cgroupPath(sandbox.cgroupParent, sandbox.id),
      namespaces: [
        { type: "mount" },
        { type: "pid" },
        ...joined.flatMap(({ type, path }) => (path === undefined ? [] : [{ type, path }])),
      ],
      ...(sandbox.user !== undefined && ociMappings(sandbox.user.mapping)),
      maskedPaths: defaultMaskedPaths,
      readonlyPaths: defaultReadonlyPaths,
      ...(seccomp !== undefined && { seccomp }),
      ...(labels !== undefined && { mountLabel: labels.mount }),
    },
  };
}

/** The config.json of a pod's shim bundle where no task belongs to the bundle: the shim reads only its annotations. */
export function planShimConfig(sandbox: PodIdentity): Pick<OciSpec, "ociVersion" | "annotations"> {
  return { ociVersion, annotations: sandboxAnnotations(sandbox) };
}

function sandboxAnnotations(sandbox: PodIdentity): Readonly<Record<string, string>> {
  return {
    "io.containerd.runc.v2.group": sandbox.id,
    "io.kubernetes.cri.container-type": "sandbox",
    "io.kubernetes.cri.sandbox-id": sandbox.id,
    "io.kubernetes.cri.sandbox-name": sandbox.name,
    "io.kubernetes.cri.sandbox-namespace": sandbox.namespace,
    "io.kubernetes.cri.sandbox-uid": sandbox.uid,
  };
}

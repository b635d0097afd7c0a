import { AgentError } from "../common/errors.ts";
import { ociMappings } from "./id-mapping.ts";
import { type OciSpec, ociVersion } from "./oci-spec.ts";
import { planApparmor, planSeccomp, planSelinux } from "./spec-confinement.ts";
import { planDevices } from "./spec-devices.ts";
import type { SpecInput } from "./spec-input.ts";
import { planMounts } from "./spec-mounts.ts";
import { planNamespaces } from "./spec-namespaces.ts";
import { planProcess } from "./spec-process.ts";
import { planLimits } from "./spec-resources.ts";
import { planPathMasks } from "./spec-security.ts";

/**
 * The OCI runtime spec of one container, as containerd's CRI plugin would write it for the same request.
 * @throws AgentError InvalidArgument or FailedPrecondition naming the field
 */
export function planSpec(input: SpecInput): OciSpec {
  const { settings, sandbox, facts } = input;
  const { privileged } = settings.security;
  if (privileged && !sandbox.privileged) {
    throw new AgentError("InvalidArgument", "Can't run a privileged container: the pod sandbox must be privileged too");
  }
  const { mounts, rootfsPropagation } = planMounts(input);
  const { nodes: devices, rules } = planDevices(privileged, input.hostDevices ?? [], input.devices ?? []);
  const sysctl = sandbox.sysctls ?? {};
  const process = planProcess(input);
  const apparmorProfile = planApparmor(settings.security, input.apparmorProfiles);
  const labels = planSelinux(input);
  const seccomp = planSeccomp({
    asked: settings.security.seccomp,
    privileged,
    facts,
    capabilities: process.capabilities.bounding,
    file: input.seccompFile,
  });
  return {
    ociVersion,
    process: {
      ...process,
      ...(apparmorProfile !== undefined && { apparmorProfile }),
      ...(labels?.process !== undefined && { selinuxLabel: labels.process }),
    },
    root: { path: input.rootfsPath ?? "rootfs", readonly: settings.security.readonlyRootfs },
    mounts,
    annotations: planAnnotations(input),
    linux: {
      resources: { devices: rules, ...planLimits(settings.resources, facts) },
      cgroupsPath: cgroupPath(sandbox.cgroupParent, input.containerId),
      namespaces: planNamespaces(input),
      ...(sandbox.user !== undefined && ociMappings(sandbox.user.mapping)),
      ...(devices.length > 0 && { devices }),
      ...(Object.keys(sysctl).length > 0 && { sysctl }),
      ...(rootfsPropagation !== undefined && { rootfsPropagation }),
      ...planPathMasks(settings.security),
      ...(seccomp !== undefined && { seccomp }),
      ...(labels !== undefined && { mountLabel: labels.mount }),
    },
  };
}

/**
 * A container's cgroup below its pod's.
 * @throws AgentError InvalidArgument unless the parent is an absolute path that stays where it points
 */
export function cgroupPath(parent: string, id: string): string {
  const parts = parent.split("/").filter((part) => part !== "");
  if (!parent.startsWith("/") || parts.some((part) => part === "." || part === "..") || /[\0\n]/.test(parent)) {
    throw new AgentError(
      "InvalidArgument",
      `Invalid cgroup_parent ${JSON.stringify(parent.slice(0, 200))}: must be an absolute cgroup path such as "/kubepods/pod1"`,
    );
  }
  return `/${[...parts, id].join("/")}`;
}

/** The names containerd gives its annotations: shims group by sandbox-id, other tools read the rest. */
function planAnnotations({ sandbox, containerName, imageName }: SpecInput): Readonly<Record<string, string>> {
  return {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.sandbox-id": sandbox.id,
    "io.kubernetes.cri.sandbox-name": sandbox.name,
    "io.kubernetes.cri.sandbox-namespace": sandbox.namespace,
    "io.kubernetes.cri.sandbox-uid": sandbox.uid,
    "io.kubernetes.cri.container-name": containerName,
    "io.kubernetes.cri.image-name": imageName,
  };
}

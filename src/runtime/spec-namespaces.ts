import { AgentError } from "../common/errors.ts";
import type { OciNamespace } from "./oci-spec.ts";
import type { SpecInput } from "./spec-input.ts";

/**
 * The namespaces a container joins or gets. A namespace missing from the list is the host's.
 * @throws AgentError FailedPrecondition when the PID namespace to join is not known
 */
export function planNamespaces(input: SpecInput): readonly OciNamespace[] {
  const { sandbox, settings, facts } = input;
  const namespaces: OciNamespace[] = [{ type: "mount" }, ...pidNamespace(input)];
  if (sandbox.netnsPath !== undefined) namespaces.push({ type: "network", path: sandbox.netnsPath });
  if (sandbox.ipcPath !== undefined) namespaces.push({ type: "ipc", path: sandbox.ipcPath });
  if (sandbox.utsPath !== undefined) namespaces.push({ type: "uts", path: sandbox.utsPath });
  if (sandbox.user !== undefined) namespaces.push({ type: "user", path: sandbox.user.path });
  if (facts.cgroupVersion === 2 && !settings.security.privileged) namespaces.push({ type: "cgroup" });
  return namespaces;
}

function pidNamespace({ settings, sandbox, targetPidNamespacePath }: SpecInput): readonly OciNamespace[] {
  const { pid } = settings.security;
  switch (pid.kind) {
    case "container":
      return [{ type: "pid" }];
    case "node":
      return [];
    case "pod":
      return [{ type: "pid", path: known(sandbox.pidNamespacePath, `the pod "${sandbox.id}"`) }];
    case "target":
      return [{ type: "pid", path: known(targetPidNamespacePath, `the target container "${pid.containerId}"`) }];
    default:
      return pid satisfies never;
  }
}

function known(path: string | undefined, owner: string): string {
  if (path !== undefined) return path;
  throw new AgentError("FailedPrecondition", `Can't join the PID namespace of ${owner}: it must be running`);
}

import type { NamespaceMode__Output } from "../generated/runtime/v1/NamespaceMode.ts";
import type { NamespaceOption__Output } from "../generated/runtime/v1/NamespaceOption.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { decodeUserNamespace } from "./decode-user-namespace.ts";
import { invalid, missing } from "./field-error.ts";
import { admit, type Profile } from "./profile-policy.ts";

type SandboxNamespaces = SandboxSpec["namespaces"];
type PidNamespace = ContainerSpec["settings"]["security"]["pid"];

/**
 * Namespaces of a pod. An absent message is its zero value: all shared within the pod.
 * @throws AgentError InvalidArgument
 */
export function decodeSandboxNamespaces(
  profile: Profile,
  field: string,
  options: NamespaceOption__Output | null,
): SandboxNamespaces {
  if (options === null) return { network: "pod", ipc: "pod", pid: "pod" };
  const network = decodePodWide(profile, `${field}.network`, options.network);
  const ipc = decodePodWide(profile, `${field}.ipc`, options.ipc);
  const pid = decodeSandboxPid(profile, `${field}.pid`, options.pid);
  const user = decodeUserNamespace(`${field}.userns_options`, options.userns_options);
  if (user === undefined) return { network, ipc, pid };
  // As Kubernetes itself demands: what belongs to the host's user namespace can't be managed from another.
  for (const [name, mode] of Object.entries({ network, ipc, pid })) {
    if (mode === "node")
      throw invalid(`${field}.${name}`, "NODE", "must be the pod's own when it has a user namespace");
  }
  return { network, ipc, pid, user };
}

function decodeSandboxPid(profile: Profile, field: string, mode: NamespaceMode__Output): SandboxNamespaces["pid"] {
  switch (mode) {
    case "POD":
      return "pod";
    case "CONTAINER":
      return "container";
    case "NODE":
      admit(profile, "hostNamespace", field, mode);
      return "node";
    case "TARGET":
      throw invalid(field, mode, "a pod has no target; must be POD, CONTAINER or NODE");
    default:
      throw invalid(field, mode satisfies never, "must be POD, CONTAINER or NODE");
  }
}

/** Network and IPC belong to a pod or to the host; a container can't have its own. */
function decodePodWide(profile: Profile, field: string, mode: NamespaceMode__Output): "pod" | "node" {
  if (mode === "POD") return "pod";
  if (mode !== "NODE") throw invalid(field, mode, "must be POD or NODE");
  admit(profile, "hostNamespace", field, mode);
  return "node";
}

/**
 * The PID namespace of a container. Its other namespaces are the pod's: asking for others is an error. A container that
 * says nothing has what its pod has.
 * @throws AgentError InvalidArgument
 */
export function decodeContainerPid(
  profile: Profile,
  field: string,
  options: NamespaceOption__Output | null,
  sandbox: SandboxNamespaces,
): PidNamespace {
  if (options === null) return { kind: sandbox.pid };
  for (const name of ["network", "ipc"] as const) {
    const mode = decodePodWide(profile, `${field}.${name}`, options[name]);
    if (mode === "node") refuseHosts(`${field}.${name}`, sandbox[name]);
  }
  checkUserNamespace(`${field}.userns_options`, options, sandbox.user);
  switch (options.pid) {
    case "POD":
      // The pod's may be the host's.
      return { kind: sandbox.pid === "node" ? "node" : "pod" };
    case "CONTAINER":
      return { kind: "container" };
    case "NODE":
      admit(profile, "hostNamespace", `${field}.pid`, options.pid);
      refuseHosts(`${field}.pid`, sandbox.pid);
      return { kind: "node" };
    case "TARGET":
      if (options.target_id === "") throw missing(`${field}.target_id`);
      return { kind: "target", containerId: options.target_id };
    default:
      throw invalid(`${field}.pid`, options.pid satisfies never, "must be POD, CONTAINER, NODE or TARGET");
  }
}

/** A container reaches no further than its pod was allowed to. */
function refuseHosts(field: string, mode: "pod" | "container" | "node"): void {
  if (mode !== "node") throw invalid(field, "NODE", "must be NODE in the pod sandbox too");
}

/** kubelet tells each container what it told the pod; crictl's users leave it out. */
function checkUserNamespace(field: string, options: NamespaceOption__Output, pods: SandboxNamespaces["user"]): void {
  if (options.userns_options === null) return;
  const own = decodeUserNamespace(field, options.userns_options);
  if (JSON.stringify(own) === JSON.stringify(pods)) return;
  throw invalid(field, options.userns_options.mode, "must be the same as the pod sandbox's");
}

import type { NamespaceMode__Output } from "../generated/runtime/v1/NamespaceMode.ts";
import type { NamespaceOption__Output } from "../generated/runtime/v1/NamespaceOption.ts";
import type { UserNamespace__Output } from "../generated/runtime/v1/UserNamespace.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { invalid, missing, notBuilt } from "./field-error.ts";
import { admit, type Profile } from "./profile-policy.ts";

type SandboxNamespaces = SandboxSpec["namespaces"];
type PidNamespace = ContainerSpec["settings"]["security"]["pid"];

/**
 * Namespaces of a pod. An absent message is its zero value: all shared within the pod.
 * @throws AgentError InvalidArgument, Unimplemented
 */
export function decodeSandboxNamespaces(
  profile: Profile,
  field: string,
  options: NamespaceOption__Output | null,
): SandboxNamespaces {
  if (options === null) return { network: "pod", ipc: "pod", pid: "pod" };
  checkPodWide(profile, `${field}.network`, options.network);
  checkPodWide(profile, `${field}.ipc`, options.ipc);
  checkUserNamespace(`${field}.userns_options`, options.userns_options);
  switch (options.pid) {
    case "POD":
      return { network: "pod", ipc: "pod", pid: "pod" };
    case "CONTAINER":
      return { network: "pod", ipc: "pod", pid: "container" };
    case "NODE":
      throw hostNamespace(profile, `${field}.pid`);
    case "TARGET":
      throw invalid(`${field}.pid`, options.pid, "a pod has no target; must be POD, CONTAINER or NODE");
    default:
      throw invalid(`${field}.pid`, options.pid satisfies never, "must be POD, CONTAINER or NODE");
  }
}

/**
 * The PID namespace of a container; its other namespaces are the pod's, and asking for others is an error.
 * @throws AgentError InvalidArgument, Unimplemented
 */
export function decodeContainerPid(
  profile: Profile,
  field: string,
  options: NamespaceOption__Output | null,
): PidNamespace {
  if (options === null) return { kind: "pod" };
  checkPodWide(profile, `${field}.network`, options.network);
  checkPodWide(profile, `${field}.ipc`, options.ipc);
  checkUserNamespace(`${field}.userns_options`, options.userns_options);
  switch (options.pid) {
    case "POD":
      return { kind: "pod" };
    case "CONTAINER":
      return { kind: "container" };
    case "NODE":
      throw hostNamespace(profile, `${field}.pid`);
    case "TARGET":
      if (options.target_id === "") throw missing(`${field}.target_id`);
      return { kind: "target", containerId: options.target_id };
    default:
      throw invalid(`${field}.pid`, options.pid satisfies never, "must be POD, CONTAINER, NODE or TARGET");
  }
}

/** Network and IPC belong to a pod or to the host; a container can't have its own. */
function checkPodWide(profile: Profile, field: string, mode: NamespaceMode__Output): void {
  if (mode === "POD") return;
  if (mode === "NODE") throw hostNamespace(profile, field);
  throw invalid(field, mode, "must be POD or NODE");
}

function hostNamespace(profile: Profile, field: string): Error {
  admit(profile, "hostNamespace", field, "NODE");
  return notBuilt(field, "NODE", "host namespaces are");
}

/** The zero mode is POD, so a message that is there but empty asks for a user namespace. */
function checkUserNamespace(field: string, options: UserNamespace__Output | null): void {
  if (options === null) return;
  switch (options.mode) {
    case "NODE":
      if (options.uids.length + options.gids.length === 0) return;
      throw invalid(`${field}.uids`, options.uids.length, "must be empty, as gids, when the mode is NODE");
    case "POD":
      throw notBuilt(`${field}.mode`, "POD", "user namespaces are");
    default:
      throw invalid(`${field}.mode`, options.mode, "must be POD or NODE");
  }
}

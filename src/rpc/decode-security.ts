import type { Capability__Output } from "../generated/runtime/v1/Capability.ts";
import type { Int64Value__Output } from "../generated/runtime/v1/Int64Value.ts";
import type { LinuxContainerSecurityContext__Output } from "../generated/runtime/v1/LinuxContainerSecurityContext.ts";
import type { SupplementalGroupsPolicy__Output } from "../generated/runtime/v1/SupplementalGroupsPolicy.ts";
import type { ContainerSpec } from "../sandbox/container-spec.ts";
import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { decodeContainerPid } from "./decode-namespaces.ts";
import { decodeApparmor, decodeSeccomp, decodeSelinux } from "./decode-profiles.ts";
import { checkAbsolutePath, checkInteger } from "./field-checks.ts";
import { invalid } from "./field-error.ts";
import { admit, type Profile } from "./profile-policy.ts";

type SecurityContext = ContainerSpec["settings"]["security"];
type UserRequest = SecurityContext["user"];

/** What an absent security context means: the image's user and the default capabilities. */
const defaultSecurity: SecurityContext = {
  user: { supplementalGroups: [], supplementalGroupsPolicy: "merge" },
  privileged: false,
  readonlyRootfs: false,
  noNewPrivileges: false,
  capabilities: { add: [], drop: [] },
  maskedPaths: undefined,
  readonlyPaths: undefined,
  pid: { kind: "pod" },
  seccomp: { kind: "unset" },
  apparmor: { kind: "unset" },
};
/** Largest user or group id a container can be given. */
const maxId = 2 ** 31 - 1;

/**
 * A container's security context.
 * @param sandbox the namespaces of its pod
 * @throws AgentError InvalidArgument, Unimplemented
 */
export function decodeSecurity(
  profile: Profile,
  field: string,
  context: LinuxContainerSecurityContext__Output | null,
  sandbox: SandboxSpec["namespaces"],
): SecurityContext {
  if (context === null) return { ...defaultSecurity, pid: { kind: sandbox.pid } };
  if (context.privileged) admit(profile, "privileged", `${field}.privileged`, true);
  const selinux = decodeSelinux(`${field}.selinux_options`, context.selinux_options);
  return {
    user: decodeUser(field, context),
    privileged: context.privileged,
    readonlyRootfs: context.readonly_rootfs,
    noNewPrivileges: context.no_new_privs,
    capabilities: decodeCapabilities(`${field}.capabilities`, context.capabilities),
    maskedPaths: decodePaths(`${field}.masked_paths`, context.masked_paths),
    readonlyPaths: decodePaths(`${field}.readonly_paths`, context.readonly_paths),
    pid: decodeContainerPid(profile, `${field}.namespace_options`, context.namespace_options, sandbox),
    seccomp: decodeSeccomp(
      `${field}.seccomp`,
      context.seccomp,
      `${field}.seccomp_profile_path`,
      context.seccomp_profile_path,
    ),
    apparmor: decodeApparmor(
      `${field}.apparmor`,
      context.apparmor,
      `${field}.apparmor_profile`,
      context.apparmor_profile,
    ),
    ...(selinux !== undefined && { selinux }),
  };
}

/** The fields that name a process's user, the same in pods and containers. */
export interface UserFields {
  readonly run_as_user: Int64Value__Output | null;
  readonly run_as_group: Int64Value__Output | null;
  readonly run_as_username?: string;
  readonly supplemental_groups: readonly string[];
  readonly supplemental_groups_policy: SupplementalGroupsPolicy__Output;
}

/** @throws AgentError InvalidArgument */
export function decodeUser(field: string, fields: UserFields): UserRequest {
  const { run_as_user, run_as_group, run_as_username = "" } = fields;
  if (run_as_group !== null && run_as_user === null && run_as_username === "") {
    throw invalid(`${field}.run_as_group`, run_as_group.value, "must come with run_as_user or run_as_username");
  }
  if (!/^[^\s:,]*$/.test(run_as_username)) {
    throw invalid(`${field}.run_as_username`, run_as_username, "must be a user name without blanks, colons and commas");
  }
  return {
    ...(run_as_user === null ? {} : { uid: decodeId(`${field}.run_as_user`, run_as_user.value) }),
    ...(run_as_username === "" ? {} : { username: run_as_username }),
    ...(run_as_group === null ? {} : { gid: decodeId(`${field}.run_as_group`, run_as_group.value) }),
    supplementalGroups: fields.supplemental_groups.map((group, index) =>
      decodeId(`${field}.supplemental_groups[${index}]`, group),
    ),
    supplementalGroupsPolicy: decodeGroupsPolicy(
      `${field}.supplemental_groups_policy`,
      fields.supplemental_groups_policy,
    ),
  };
}

function decodeId(field: string, text: string): number {
  return checkInteger(field, text, 0, maxId);
}

function decodeGroupsPolicy(field: string, policy: SupplementalGroupsPolicy__Output): "merge" | "strict" {
  switch (policy) {
    case "Merge":
      return "merge";
    case "Strict":
      return "strict";
    default:
      throw invalid(field, policy satisfies never, "must be Merge or Strict");
  }
}

function decodeCapabilities(field: string, capability: Capability__Output | null): SecurityContext["capabilities"] {
  if (capability === null) return { add: [], drop: [] };
  const decode = (name: "add_capabilities" | "drop_capabilities" | "add_ambient_capabilities") =>
    capability[name].map((text, index) => decodeCapability(`${field}.${name}[${index}]`, text));
  const ambient = decode("add_ambient_capabilities");
  return {
    add: decode("add_capabilities"),
    drop: decode("drop_capabilities"),
    ...(ambient.length > 0 && { ambient }),
  };
}

/** "net_admin", "CAP_NET_ADMIN" and "NET_ADMIN" are one; whether the kernel has it, the spec planner knows. */
function decodeCapability(field: string, text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, "");
  if (!/^[A-Z][A-Z0-9_]{0,62}$/.test(name)) {
    throw invalid(field, text, 'must be "ALL" or a name such as "NET_ADMIN" or "CAP_NET_ADMIN"');
  }
  return name === "ALL" ? name : `CAP_${name}`;
}

/**
 * The wire can't tell "none" from "not given". Not given must mean the defaults, for crictl and old kubelets never
 * give them, and a container that sees all of /proc by accident is the worse mistake.
 */
function decodePaths(field: string, paths: readonly string[]): readonly string[] | undefined {
  if (paths.length === 0) return undefined;
  return paths.map((path, index) => checkAbsolutePath(`${field}[${index}]`, path));
}

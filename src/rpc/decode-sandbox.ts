import { isIP } from "node:net";
import type { DNSConfig__Output } from "../generated/runtime/v1/DNSConfig.ts";
import type { LinuxPodSandboxConfig__Output } from "../generated/runtime/v1/LinuxPodSandboxConfig.ts";
import type { LinuxSandboxSecurityContext__Output } from "../generated/runtime/v1/LinuxSandboxSecurityContext.ts";
import type { PodSandboxMetadata__Output } from "../generated/runtime/v1/PodSandboxMetadata.ts";
import type { RunPodSandboxRequest__Output } from "../generated/runtime/v1/RunPodSandboxRequest.ts";
import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { decodeHostPorts } from "./decode-host-ports.ts";
import { decodeSandboxNamespaces } from "./decode-namespaces.ts";
import { decodeApparmor, decodeSeccomp, decodeSelinux } from "./decode-profiles.ts";
import { decodeResources } from "./decode-resources.ts";
import { decodeUser } from "./decode-security.ts";
import { decodeSysctls } from "./decode-sysctls.ts";
import { checkAbsolutePath, checkName, cleanPath, decodeMap } from "./field-checks.ts";
import { invalid, missing } from "./field-error.ts";
import { admit, type Profile } from "./profile-policy.ts";

/** Longest hostname Linux keeps, HOST_NAME_MAX; kubelet cuts qualified names to it. */
const hostnameMax = 64;

/**
 * RunPodSandbox's request.
 * @throws AgentError InvalidArgument naming the field, Unimplemented for what can't be honoured
 */
export function decodeSandbox(profile: Profile, request: RunPodSandboxRequest__Output): SandboxSpec {
  const { config } = request;
  if (config === null) throw missing("config");
  if (config.windows !== null) throw invalid("config.windows", "{…}", "must be absent: this node runs Linux");
  const metadata = decodeMetadata("config.metadata", config.metadata);
  return {
    metadata,
    hostname: decodeHostname("config.hostname", config.hostname),
    logDirectory: decodeLogDirectory("config.log_directory", config.log_directory),
    dns: decodeDns("config.dns_config", config.dns_config),
    labels: decodeMap("config.labels", config.labels),
    annotations: decodeMap("config.annotations", config.annotations),
    runtimeHandler: request.runtime_handler,
    hostPorts: decodeHostPorts(profile, "config.port_mappings", config.port_mappings),
    ...decodeLinux(profile, "config.linux", config.linux),
  };
}

function decodeMetadata(field: string, metadata: PodSandboxMetadata__Output | null): SandboxSpec["metadata"] {
  if (metadata === null) throw missing(field);
  return {
    name: checkName(`${field}.name`, metadata.name),
    namespace: checkName(`${field}.namespace`, metadata.namespace),
    uid: checkName(`${field}.uid`, metadata.uid),
    attempt: metadata.attempt,
  };
}

/** RFC 1123 labels of up to 63 characters, joined by dots when the pod's hostname is its qualified name. */
function decodeHostname(field: string, hostname: string): string {
  if (hostname === "") return hostname;
  const label = /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$/;
  if (hostname.length > hostnameMax || !hostname.split(".").every((part) => label.test(part))) {
    throw invalid(
      field,
      hostname,
      `must be RFC 1123 labels of a-z, 0-9 and -, each at most 63 and together at most ${hostnameMax} characters`,
    );
  }
  return hostname;
}

function decodeLogDirectory(field: string, path: string): string {
  return path === "" ? "" : cleanPath(checkAbsolutePath(field, path));
}

/** Everything here becomes a line of resolv.conf, so nothing may bring a line break with it. */
function decodeDns(field: string, dns: DNSConfig__Output | null): SandboxSpec["dns"] {
  if (dns === null) return undefined;
  dns.servers.forEach((server, index) => {
    if (isIP(server) === 0) throw invalid(`${field}.servers[${index}]`, server, "must be an IPv4 or IPv6 address");
  });
  for (const name of ["searches", "options"] as const) {
    dns[name].forEach((text, index) => {
      if (!/^[\x21-\x7e]+$/.test(text)) {
        throw invalid(`${field}.${name}[${index}]`, text, "must be printable ASCII without blanks");
      }
    });
  }
  return { servers: dns.servers, searches: dns.searches, options: dns.options };
}

type LinuxPart = Pick<
  SandboxSpec,
  | "cgroupParent"
  | "namespaces"
  | "privileged"
  | "selinux"
  | "seccomp"
  | "apparmor"
  | "sysctls"
  | "overhead"
  | "resources"
>;

function decodeLinux(profile: Profile, field: string, linux: LinuxPodSandboxConfig__Output | null): LinuxPart {
  const security = linux?.security_context ?? null;
  const confinement = decodeConfinement(profile, `${field}.security_context`, security);
  const namespaces = decodeSandboxNamespaces(
    profile,
    `${field}.security_context.namespace_options`,
    security?.namespace_options ?? null,
  );
  const sysctls = decodeSysctls(`${field}.sysctls`, linux?.sysctls ?? {}, namespaces);
  return {
    cgroupParent: decodeCgroupParent(`${field}.cgroup_parent`, linux?.cgroup_parent ?? ""),
    namespaces,
    ...(sysctls !== undefined && { sysctls }),
    privileged: security?.privileged ?? false,
    ...confinement,
    overhead: linux?.overhead ? decodeResources(`${field}.overhead`, linux.overhead) : undefined,
    resources: linux?.resources ? decodeResources(`${field}.resources`, linux.resources) : undefined,
  };
}

/**
 * What confines a pod's own process, which holds its PID namespace. That runs as nobody in an empty root, whatever user
 * and root are asked for: those are checked, so that mistakes show, and otherwise unused.
 */
function decodeConfinement(
  profile: Profile,
  field: string,
  context: LinuxSandboxSecurityContext__Output | null,
): Pick<SandboxSpec, "selinux" | "seccomp" | "apparmor"> {
  if (context === null) return {};
  if (context.privileged) admit(profile, "privileged", `${field}.privileged`, true);
  decodeUser(field, context);
  const textField = `${field}.seccomp_profile_path`;
  const selinux = decodeSelinux(`${field}.selinux_options`, context.selinux_options);
  const seccomp = decodeSeccomp(`${field}.seccomp`, context.seccomp, textField, context.seccomp_profile_path);
  const apparmor = decodeApparmor(`${field}.apparmor`, context.apparmor, `${field}.apparmor`, "");
  return {
    ...(selinux !== undefined && { selinux }),
    ...(seccomp.kind !== "unset" && { seccomp }),
    ...(apparmor.kind !== "unset" && { apparmor }),
  };
}

function decodeCgroupParent(field: string, path: string): string {
  if (path === "") return "";
  const clean = cleanPath(checkAbsolutePath(field, path));
  if (clean === "/") throw invalid(field, path, "must be a cgroup below the root");
  return clean;
}

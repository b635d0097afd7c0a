import { AgentError } from "../common/errors.ts";
import { defaultApparmorProfile } from "./apparmor.ts";
import type { SecurityContext, SecurityProfile, SelinuxOptions } from "./container-settings.ts";
import { defaultSeccomp } from "./default-seccomp.ts";
import type { HostFacts } from "./host-facts.ts";
import type { OciSeccomp } from "./oci-spec.ts";
import { planSelinuxLabels, type SelinuxLabels } from "./selinux-label.ts";
import type { SpecInput } from "./spec-input.ts";

/** What the planner of a seccomp filter decides from. */
interface SeccompInput {
  readonly asked: SecurityProfile;
  readonly privileged: boolean;
  readonly facts: Pick<HostFacts, "seccomp" | "architecture" | "kernelRelease">;
  /** The bounding set. */
  readonly capabilities: readonly string[];
  /** The profile read from the file that `asked` names. */
  readonly file: OciSeccomp | undefined;
}

/**
 * The filter of a container; undefined: none. Who asks for none gets none, as in containerd.
 * @throws AgentError FailedPrecondition where the kernel has no filters
 */
export function planSeccomp({ asked, privileged, facts, capabilities, file }: SeccompInput): OciSeccomp | undefined {
  if (privileged || asked.kind === "unset" || asked.kind === "unconfined") return undefined;
  if (!facts.seccomp) {
    throw new AgentError(
      "FailedPrecondition",
      `Can't apply the seccomp profile ${profileName(asked)}: this kernel has no seccomp filters; ask for Unconfined`,
    );
  }
  if (asked.kind === "runtime-default") {
    return defaultSeccomp(new Set(capabilities), facts.architecture, facts.kernelRelease);
  }
  if (file !== undefined) return file;
  throw new AgentError("Internal", `Seccomp profile ${profileName(asked)} was not read`);
}

/**
 * The AppArmor profile of a process; undefined: none. Who doesn't ask gets the default one, as in containerd.
 * @param loaded profiles the kernel has; undefined where there is no AppArmor
 * @throws AgentError FailedPrecondition where the kernel has no AppArmor, InvalidArgument for one that is not loaded
 */
export function planApparmor(
  { apparmor, privileged }: Pick<SecurityContext, "apparmor" | "privileged">,
  loaded: ReadonlySet<string> | undefined,
): string | undefined {
  if (loaded === undefined) {
    if (apparmor.kind === "unset" || apparmor.kind === "unconfined") return undefined;
    throw new AgentError(
      "FailedPrecondition",
      `Can't apply the AppArmor profile ${profileName(apparmor)}: this host has no AppArmor; ask for Unconfined`,
    );
  }
  switch (apparmor.kind) {
    case "unconfined":
      return undefined;
    case "unset":
      return privileged || !loaded.has(defaultApparmorProfile) ? undefined : defaultApparmorProfile;
    case "runtime-default":
      return privileged ? undefined : requireLoaded(defaultApparmorProfile, loaded);
    case "localhost":
      return requireLoaded(apparmor.reference, loaded);
    default:
      return apparmor satisfies never;
  }
}

function requireLoaded(name: string, loaded: ReadonlySet<string>): string {
  if (loaded.has(name)) return name;
  const how = name === defaultApparmorProfile ? "apparmor_parser must be installed" : "it must be loaded on this host";
  throw new AgentError(
    "InvalidArgument",
    `Can't apply the AppArmor profile ${JSON.stringify(name.slice(0, 200))}: ${how}`,
  );
}

/**
 * The SELinux labels of a container; undefined where the host has no SELinux.
 * @throws AgentError FailedPrecondition when labels are asked for there
 */
export function planSelinux({ settings, sandbox, facts }: SpecInput): SelinuxLabels | undefined {
  const asked = settings.security.selinux ?? sandbox.selinux?.options;
  refuseSelinuxOptions(asked, facts);
  if (facts.selinux === undefined) return undefined;
  return planSelinuxLabels(facts.selinux, asked, sandbox.selinux?.level ?? "s0", settings.security.privileged);
}

/** @throws AgentError FailedPrecondition when labels are asked for on a host that has none */
export function refuseSelinuxOptions(asked: SelinuxOptions | undefined, facts: Pick<HostFacts, "selinux">): void {
  if (asked === undefined || facts.selinux !== undefined) return;
  throw new AgentError(
    "FailedPrecondition",
    `Can't apply selinux_options ${JSON.stringify(asked)}: this host has no SELinux; leave them out`,
  );
}

function profileName(profile: SecurityProfile): string {
  return profile.kind === "localhost" ? JSON.stringify(profile.reference.slice(0, 200)) : "RuntimeDefault";
}

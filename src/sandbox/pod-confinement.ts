import { loadedApparmorProfiles } from "../runtime/apparmor.ts";
import type { SecurityProfile } from "../runtime/container-settings.ts";
import type { HostFacts } from "../runtime/host-facts.ts";
import type { Confinement } from "../runtime/plan-pid-holder.ts";
import { readSeccompFile } from "../runtime/seccomp-file.ts";
import { planSelinuxLabels } from "../runtime/selinux-label.ts";
import { planApparmor, planSeccomp } from "../runtime/spec-confinement.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

const unset: SecurityProfile = { kind: "unset" };

/**
 * What confines the process that holds a pod's PID namespace.
 * @throws AgentError for a profile that the host can't apply, InvalidArgument naming it
 */
export async function planPodConfinement(
  facts: HostFacts,
  { spec, selinuxLevel }: SandboxRecord,
): Promise<Confinement> {
  const { seccomp = unset, apparmor = unset } = spec;
  return {
    seccomp: planSeccomp({
      asked: seccomp,
      privileged: spec.privileged,
      facts,
      capabilities: [],
      file: seccomp.kind === "localhost" ? readSeccompFile(seccomp.reference) : undefined,
    }),
    apparmorProfile: planApparmor(
      { apparmor, privileged: spec.privileged },
      facts.apparmor ? await loadedApparmorProfiles() : undefined,
    ),
    labels: facts.selinux && planSelinuxLabels(facts.selinux, spec.selinux, selinuxLevel ?? "s0", spec.privileged),
  };
}

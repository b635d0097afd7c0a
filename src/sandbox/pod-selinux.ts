import type { SecurityContext } from "../runtime/container-settings.ts";
import type { HostFacts } from "../runtime/host-facts.ts";
import { planSelinuxLabels } from "../runtime/selinux-label.ts";
import type { SpecSandbox } from "../runtime/spec-input.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** What the spec planner is told of a pod's SELinux options and level. */
export function selinuxOf({ spec, selinuxLevel }: SandboxRecord): Pick<SpecSandbox, "selinux"> {
  if (selinuxLevel === undefined)
    return spec.selinux === undefined ? {} : { selinux: { options: spec.selinux, level: "" } };
  return { selinux: { ...(spec.selinux !== undefined && { options: spec.selinux }), level: selinuxLevel } };
}

/**
 * The SELinux label of files made for a pod or for one of its containers; undefined where the host has no SELinux.
 * @param security of the container; absent for the pod's own files
 */
export function mountLabel(
  facts: Pick<HostFacts, "selinux">,
  sandbox: SandboxRecord,
  security?: SecurityContext,
): string | undefined {
  const { selinux } = facts;
  if (selinux === undefined) return undefined;
  const options = security?.selinux ?? sandbox.spec.selinux;
  return planSelinuxLabels(selinux, options, sandbox.selinuxLevel ?? "s0", false).mount;
}

/** The levels that pods have now. */
export function takenLevels(records: readonly SandboxRecord[]): ReadonlySet<string> {
  return new Set(records.flatMap(({ selinuxLevel }) => selinuxLevel ?? []));
}

import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { decodeMap } from "./field-checks.ts";
import { invalid } from "./field-error.ts";
import { normalSysctlName, sysctlNamespace } from "./sysctl-name.ts";

/**
 * The kernel parameters of a pod, by name with dots. Which of them are safe is kubelet's to judge; here one must belong
 * to a namespace that the pod has of its own, for all others are the whole machine's.
 * @returns undefined for none
 * @throws AgentError InvalidArgument
 */
export function decodeSysctls(
  field: string,
  sysctls: Readonly<Record<string, string>>,
  namespaces: SandboxSpec["namespaces"],
): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(decodeMap(field, sysctls)).map(([name, value]) => {
    if (!/^[a-zA-Z0-9_-]+([./][a-zA-Z0-9_*@:-]+)+$/.test(name) || name.length > 253) {
      throw invalid(field, name, 'must be a name such as "net.core.somaxconn"');
    }
    if (/[\0\n]/.test(value)) throw invalid(`${field} ${name}`, value, "must be one line");
    const normal = normalSysctlName(name);
    checkOwned(field, normal, namespaces);
    return [normal, value.trim()] as const;
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function checkOwned(field: string, name: string, namespaces: SandboxSpec["namespaces"]): void {
  const kind = sysctlNamespace(name);
  switch (kind) {
    case undefined:
      throw invalid(
        field,
        name,
        "must be of the pod's network (net.*) or IPC (kernel.shm*, kernel.msg*, kernel.sem, fs.mqueue.*)",
      );
    case "network":
    case "uts":
      if (namespaces.network === "pod") return;
      throw invalid(field, name, "must not be set where the pod has the host's network");
    case "ipc":
      if (namespaces.ipc === "pod") return;
      throw invalid(field, name, "must not be set where the pod has the host's IPC namespace");
    default:
      kind satisfies never;
  }
}

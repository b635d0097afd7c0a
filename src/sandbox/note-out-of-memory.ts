import { parseContainerId } from "../common/ids.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";

/**
 * Logs that the kernel killed processes of a container, when a shim says so. It is a hint: events can be lost, and under
 * cgroup v1 every container of a pod is notified when one runs into the pod's limit. So the container's own counter
 * decides, here as at its end.
 * @param id as the shim has it
 */
export function noteOutOfMemory(
  deps: Pick<SandboxDeps, "layout" | "sandboxes" | "containers" | "cgroups" | "log">,
  id: string,
): void {
  const record = deps.containers.knows(id) ? deps.containers.find(parseContainerId(id)) : undefined;
  const sandbox = record && deps.sandboxes.find(record.sandboxId);
  if (record === undefined || sandbox === undefined) return;
  const pod = sandboxPaths(deps.layout, sandbox.id, sandbox.spec.cgroupParent);
  const oomKills = deps.cgroups.oomKills(containerPaths(deps.layout, record.id, pod.cgroup).cgroup);
  if (oomKills > 0) deps.log.warn({ containerId: record.id, oomKills }, "kernel killed processes for want of memory");
}

import { AgentError, errorText } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { ContainerId } from "../common/ids.ts";
import { writeBundleLimits } from "../runtime/bundle.ts";
import type { Resources } from "../runtime/container-settings.ts";
import { mergeResources, revertedResources } from "../runtime/merge-resources.ts";
import { planLimits } from "../runtime/spec-resources.ts";
import { type ContainerRecord, resourcesInForce } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";

/**
 * Changes a container's limits: of a running one those of its cgroup, of one that was not started yet those it will
 * start with. Either all of them hold in the end, or the old ones. The caller holds the container's lock.
 * @param change what is absent in it stays
 * @throws AgentError InvalidArgument, FailedPrecondition, or what the runtime said
 */
export async function updateContainer(deps: SandboxDeps, record: ContainerRecord, change: Resources): Promise<void> {
  if (record.state.kind === "creating" || record.state.kind === "removing") {
    throw new AgentError(
      "FailedPrecondition",
      `Can't change the limits of container "${record.id}": it is ${record.state.kind}`,
    );
  }
  const before = resourcesInForce(record);
  const after = mergeResources(before, change);
  // Checked before anything is touched.
  planLimits(after, deps.facts);
  deps.containers.put({ ...record, pendingResources: after });
  failpoint("update.recorded");
  try {
    await apply(deps, record.id, after);
  } catch (error) {
    await takeBack(deps, record.id, before, after);
    throw error;
  }
  settle(deps, record.id, after);
  failpoint("update.done");
}

/** Ends an update that the agent's own end cut short: its limits hold, or where they can't, the old ones do. */
export async function finishUpdate(deps: SandboxDeps, id: ContainerId): Promise<void> {
  const record = deps.containers.find(id);
  if (record?.pendingResources === undefined) return;
  try {
    await apply(deps, id, record.pendingResources);
    settle(deps, id, record.pendingResources);
  } catch (error) {
    deps.log.warn({ containerId: id, error: errorText(error) }, "limits of an update cut short can't be set");
    await takeBack(deps, id, resourcesInForce(record), record.pendingResources);
  }
}

async function apply(deps: SandboxDeps, id: ContainerId, resources: Resources): Promise<void> {
  const record = deps.containers.get(id);
  // Of an ended container only the record is left to change.
  if (record.state.kind === "exited" || record.state.kind === "removing") return;
  const limits = planLimits(resources, deps.facts);
  const pod = sandboxPaths(deps.layout, record.sandboxId, deps.sandboxes.get(record.sandboxId).spec.cgroupParent);
  const paths = containerPaths(deps.layout, id, pod.cgroup);
  if (record.state.kind === "running") {
    const shim = await deps.shims.connected(record.sandboxId);
    if (shim === undefined) {
      throw new AgentError("Unavailable", `Can't change the limits of container "${id}": its shim is gone`);
    }
    await shim.update(id, limits);
    failpoint("update.runtime-updated");
    deps.cgroups.setLimits(paths.cgroup, limits);
  }
  // What starts next starts from it, and it tells people what holds.
  writeBundleLimits(paths.bundle, limits);
  failpoint("update.bundle-written");
}

async function takeBack(deps: SandboxDeps, id: ContainerId, before: Resources, attempted: Resources): Promise<void> {
  try {
    await apply(deps, id, revertedResources(before, attempted));
  } catch (error) {
    deps.log.error(
      { containerId: id, error: errorText(error) },
      "the limits from before a failed update can't be set again",
    );
  }
  settle(deps, id, before);
}

/** An exit may have been recorded meanwhile, so the record is read anew. */
function settle(deps: SandboxDeps, id: ContainerId, resources: Resources): void {
  const { pendingResources: _, ...record } = deps.containers.get(id);
  deps.containers.put({ ...record, resources });
}

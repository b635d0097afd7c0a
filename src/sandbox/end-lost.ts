import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { planLoss } from "./plan-exit.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/**
 * Ends and records a container whose shim can't tell any more how it ended: the shim's own clean-up ends what still runs.
 * How it looked before that is read first, for the clean-up takes its cgroup along.
 * @param message why nobody saw its end, for people
 * @param shim "answers": it has only forgotten this container, and the pod's others go on with it
 */
export async function endLost(
  deps: SandboxDeps,
  record: ContainerRecord,
  sandbox: SandboxRecord,
  message: string,
  shim: "answers" | "gone" = "gone",
): Promise<void> {
  const pod = sandboxPaths(deps.layout, sandbox.id, sandbox.spec.cgroupParent);
  const { cgroup } = containerPaths(deps.layout, record.id, pod.cgroup);
  const state = planLoss({
    startedAtMs: record.state.kind === "running" ? record.state.startedAtMs : 0,
    nowMs: Date.now(),
    oomKills: deps.cgroups.oomKills(cgroup),
    alive: deps.cgroups.pids(cgroup).length > 0,
    message,
  });
  // Of another boot there is nothing to end, nor of what was never started; otherwise a process may outlive its shim.
  if (sandbox.bootId === deps.bootId && record.state.kind !== "created") {
    await cleanUp(deps, record, sandbox, shim);
  }
  const current = deps.containers.find(record.id);
  // A stop that could not wait for the shim may have recorded the end, and a removal may have followed.
  if (current?.state.kind === record.state.kind) deps.containers.put({ ...current, state });
}

async function cleanUp(
  deps: SandboxDeps,
  record: ContainerRecord,
  sandbox: SandboxRecord,
  shim: "answers" | "gone",
): Promise<void> {
  const { bundle } = containerPaths(deps.layout, record.id, "");
  try {
    if (shim === "answers") await deps.shims.deleteByRuntime(sandbox, record.id, bundle);
    else await deps.shims.cleanUpLost(sandbox, record.id, bundle);
  } catch (error) {
    deps.log.error(
      { containerId: record.id, error },
      "container of a lost shim can't be ended; its removal will try again",
    );
  }
}

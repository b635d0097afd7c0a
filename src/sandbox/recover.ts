import { delay, within } from "../common/deadline.ts";
import { errorText } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { ContainerId, SandboxId } from "../common/ids.ts";
import { Semaphore } from "../common/semaphore.ts";
import { containersOf, type SandboxDeps } from "./deps.ts";
import { observePod } from "./observe-pod.ts";
import { type ObservedPod, planSandboxRepair, type SandboxRepair } from "./plan-recovery.ts";
import { recoverContainer } from "./recover-container.ts";
import { removeContainer } from "./remove-container.ts";
import { removeOrphans } from "./remove-orphans.ts";
import { removeSandbox } from "./remove-sandbox.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import { stopSandbox } from "./stop-sandbox.ts";
import { finishUpdate } from "./update-container.ts";

/** How many pods are repaired side by side. Waiting for a shim's answer takes none of these places. */
const parallelRepairs = 16;
/** How long serving waits for pods that recover as they should; the others go on behind it. */
const headStartMs = 1_000;
const podTimeoutMs = 60_000;
const containerTimeoutMs = 20_000;
/** Pauses between the looks at a pod whose shim is silent. */
const firstPauseMs = 1_000;
const longestPauseMs = 15_000;

/**
 * Brings records and host together after a start: finishes or undoes what was under way, takes up the output and exits
 * of what ran on, shows as ended what ended unseen, and removes what has no record. Resolves when the agent may serve:
 * pods that take longer, above all those with a silent shim, are recovered behind it, each for itself.
 * @param stop ends the looks at silent pods
 */
export async function recover(deps: SandboxDeps, stop: AbortSignal): Promise<void> {
  const slots = new Semaphore(parallelRepairs);
  const looks = deps.sandboxes.list().map(({ id }) => {
    const look = lookFirst(deps, id, slots, stop);
    deps.recoveries.begin(id, look);
    return look;
  });
  const all = Promise.all(looks)
    .then(() => removeLeftovers(deps))
    .catch((error: unknown) => deps.log.error({ error }, "what has no record is left for the next start"));
  await Promise.race([all, delay(headStartMs)]);
  const left = deps.recoveries.count;
  if (left > 0) deps.log.warn({ pods: left }, "agent serves while pods are still being recovered");
}

/** Never rejects: what can't be recovered is kept as not ready, for its caller to stop and remove. */
async function lookFirst(deps: SandboxDeps, id: SandboxId, slots: Semaphore, stop: AbortSignal): Promise<void> {
  // Taken before anybody can ask for the pod: a call that changes it waits for this look, within its own deadline.
  using _lock = await deps.locks.acquire(id);
  const record = deps.sandboxes.find(id);
  if (record === undefined) return;
  try {
    const observed = await observePod(deps, record);
    using _slot = await slots.acquire();
    const work = repairPod(deps, record, observed, containersOf(deps, id));
    const waiting = await within(`Recovering pod sandbox "${id}"`, podTimeoutMs, work);
    if (waiting.length > 0) void lookAgain(deps, id, waiting, stop);
  } catch (error) {
    deps.log.error({ sandboxId: id, error }, "pod can't be recovered; it is kept as not ready");
    const current = deps.sandboxes.find(id);
    if (current === undefined || current.state === "removing") return;
    deps.sandboxes.put({ ...current, state: "notReady", message: `Not recovered: ${errorText(error)}` });
  }
}

/** @returns the containers that only the pod's silent shim knows about */
async function repairPod(
  deps: SandboxDeps,
  record: SandboxRecord,
  observed: ObservedPod,
  containers: readonly ContainerId[],
): Promise<readonly ContainerId[]> {
  const repair = planSandboxRepair(record, observed);
  const level = repair.kind === "wait" ? "warn" : "info";
  deps.log[level]({ sandboxId: record.id, state: record.state, ...observed, repair: repair.kind }, "pod recovered");
  failpoint("recover.pod-observed");
  const waiting = await Promise.all(
    containers.map(async (id) => {
      const work = recoverWithUpdate(deps, id, observed.shim, repair.kind);
      const settled = await within(`Recovering container "${id}"`, containerTimeoutMs, work).catch((error: unknown) => {
        deps.log.error({ containerId: id, error }, "container can't be recovered yet; it is looked at again");
        return false;
      });
      return settled ? [] : [id];
    }),
  );
  failpoint("recover.containers-done");
  switch (repair.kind) {
    case "adopt":
      // A PID namespace that was being made when the agent ended is made now, and one that ends is noticed again.
      deps.shims.prepare(record);
      return waiting.flat();
    case "wait":
      return waiting.flat();
    case "stop":
      await stopSandbox(deps, record, repair.message);
      return [];
    case "remove":
      await removeSandbox(deps, record);
      return [];
    default:
      return repair satisfies never;
  }
}

async function recoverWithUpdate(
  deps: SandboxDeps,
  id: ContainerId,
  shim: ObservedPod["shim"],
  sandbox: SandboxRepair["kind"],
): Promise<boolean> {
  if (!(await recoverContainer(deps, id, shim, sandbox))) return false;
  using _lock = await deps.locks.acquire(id);
  await finishUpdate(deps, id);
  return true;
}

/** Looks at a pod until its shim has told of these containers, or somebody has stopped or removed the pod. Never rejects. */
async function lookAgain(
  deps: SandboxDeps,
  id: SandboxId,
  containers: readonly ContainerId[],
  stop: AbortSignal,
): Promise<void> {
  let waiting = containers;
  for (let pauseMs = firstPauseMs; waiting.length > 0; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      await delay(pauseMs, stop);
      const before = deps.sandboxes.find(id);
      if (before?.state !== "ready") return;
      // Without the lock, for it takes a silent shim seconds to say nothing, and a stop must not wait for that.
      const observed = await observePod(deps, before);
      using _lock = await deps.locks.acquire(id);
      const record = deps.sandboxes.find(id);
      if (record?.state !== "ready" || stop.aborted) return;
      const present = waiting.filter((container) => deps.containers.find(container) !== undefined);
      waiting = await repairPod(deps, record, observed, present);
    } catch (error) {
      if (stop.aborted) return;
      deps.log.warn({ sandboxId: id, error }, "pod can't be recovered yet; it is looked at again");
    }
  }
}

async function removeLeftovers(deps: SandboxDeps): Promise<void> {
  // Containers whose sandbox has no record: left by a removal that was cut between the two.
  for (const record of deps.containers.list()) {
    if (deps.sandboxes.knows(record.sandboxId)) continue;
    deps.log.warn({ containerId: record.id, sandboxId: record.sandboxId }, "container without a pod is removed");
    await removeContainer(deps, record.id);
  }
  await removeOrphans(deps);
}

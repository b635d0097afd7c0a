import { within } from "../common/deadline.ts";
import { errorText, hasCode } from "../common/errors.ts";
import { Semaphore } from "../common/semaphore.ts";
import { ContainerIo } from "../runtime/container-io.ts";
import { recoverExecs } from "../runtime/exec-sync.ts";
import { isNamespacePin } from "../runtime/namespace-pin.ts";
import type { Shim } from "../runtime/shim.ts";
import type { ContainerRecord } from "./container-record.ts";
import { deleteTask } from "./delete-task.ts";
import { containersOf, type SandboxDeps } from "./deps.ts";
import { endLost } from "./end-lost.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { type ObservedTask, planContainerRepair, planSandboxRepair, type SandboxRepair } from "./plan-recovery.ts";
import { removeContainer } from "./remove-container.ts";
import { removeOrphans } from "./remove-orphans.ts";
import { removeSandbox } from "./remove-sandbox.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import { stopSandbox } from "./stop-sandbox.ts";
import { finishUpdate } from "./update-container.ts";
import { watchExit } from "./watch-exit.ts";

/** How many pods are recovered side by side, and how long one may take before the others are served without it. */
const parallelPods = 16;
const podTimeoutMs = 60_000;
const observeTimeoutMs = 5_000;

/**
 * Brings records and host together after a start: finishes or undoes what was under way, takes up the output and exits
 * of what ran on, shows as ended what ended unseen, and removes what has no record. One broken pod holds up no other.
 */
export async function recover(deps: SandboxDeps): Promise<void> {
  const slots = new Semaphore(parallelPods);
  await Promise.all(
    deps.sandboxes.list().map(async (record) => {
      using _slot = await slots.acquire();
      await recoverOne(deps, record);
    }),
  );
  await removeStrayContainers(deps);
  await removeOrphans(deps);
}

async function recoverOne(deps: SandboxDeps, record: SandboxRecord): Promise<void> {
  try {
    await within(`Recovering pod sandbox "${record.id}"`, podTimeoutMs, recoverSandbox(deps, record));
  } catch (error) {
    deps.log.error({ sandboxId: record.id, error }, "pod can't be recovered; it is kept as not ready");
    const current = deps.sandboxes.find(record.id);
    if (current === undefined || current.state === "removing") return;
    deps.sandboxes.put({ ...current, state: "notReady", message: `Not recovered: ${errorText(error)}` });
  }
}

async function recoverSandbox(deps: SandboxDeps, record: SandboxRecord): Promise<void> {
  using _lock = await deps.locks.acquire(record.id);
  const shim = record.bootId === deps.bootId ? await deps.shims.reconnect(record) : "none";
  const netnsPinned = isNamespacePin(sandboxPaths(deps.layout, record.id, "").namespaces.net);
  const repair = planSandboxRepair(record, { shim, netnsPinned }, deps.bootId);
  deps.log.info({ sandboxId: record.id, state: record.state, shim, repair: repair.kind }, "pod recovered");
  const connection = shim === "alive" ? await deps.shims.connected(record.id) : undefined;
  for (const id of containersOf(deps, record.id)) {
    await recoverContainer(deps, deps.containers.get(id), connection, repair.kind);
    await finishUpdate(deps, id);
  }
  // A PID namespace that was being made when the agent ended is made now, and one that ends is noticed again.
  if (repair.kind === "adopt") deps.shims.prepare(record);
  if (repair.kind === "stop") await stopSandbox(deps, record, repair.message);
  if (repair.kind === "remove") await removeSandbox(deps, record);
}

async function recoverContainer(
  deps: SandboxDeps,
  record: ContainerRecord,
  shim: Shim | undefined,
  sandbox: SandboxRepair["kind"],
): Promise<void> {
  const task = await observeTask(record, shim);
  const repair = planContainerRepair(record, task, sandbox);
  deps.log.info({ containerId: record.id, state: record.state.kind, task, repair: repair.kind }, "container recovered");
  switch (repair.kind) {
    case "keep":
      return;
    case "remove":
      if (shim !== undefined) await deleteTask(shim, record.id);
      return await removeContainer(deps, record.id);
    case "adopt":
      if (shim !== undefined) await adoptTask(deps, record, shim);
      return;
    case "revert":
      if (shim !== undefined) await deleteTask(shim, record.id);
      deps.containers.put({ ...record, state: { kind: "created" } });
      return;
    case "delete-task":
      if (shim !== undefined) await deleteTask(shim, record.id);
      return;
    case "lost":
      return await endLost(deps, record, deps.sandboxes.get(record.sandboxId), repair.message);
    default:
      repair satisfies never;
  }
}

async function observeTask(record: ContainerRecord, shim: Shim | undefined): Promise<ObservedTask> {
  if (shim === undefined) return "absent";
  try {
    const { kind } = await within(`Asking the shim of "${record.id}"`, observeTimeoutMs, shim.state(record.id));
    // A paused task has a process, which is what matters here.
    return kind === "created" || kind === "stopped" ? kind : "running";
  } catch (error) {
    if (hasCode(error, "NotFound")) return "absent";
    throw error;
  }
}

/** Takes up a task that outlived the agent: its output first, for it waits in full pipes, then its exit. */
async function adoptTask(deps: SandboxDeps, record: ContainerRecord, shim: Shim): Promise<void> {
  const paths = containerPaths(deps.layout, record.id, "");
  const { settings } = record.spec;
  const io = await ContainerIo.reopen({
    directory: paths.stdio,
    logPath: record.logPath,
    terminal: settings.tty,
    stdin: settings.stdin,
    log: deps.log.child({ containerId: record.id }),
  });
  io.start();
  await recoverExecs(shim, record.id, paths.execs, deps.log);
  const exit = shim.wait(record.id);
  exit.catch(() => undefined);
  if (record.state.kind === "starting") {
    const { pid } = await shim.state(record.id);
    deps.containers.put({ ...record, state: { kind: "running", startedAtMs: Date.now(), pid } });
  }
  deps.tasks.add(record.id, { io, exited: watchExit(deps, record.id, shim, exit), stopSignalSent: false });
}

/** Containers whose sandbox has no record: left by a removal that was cut between the two. */
async function removeStrayContainers(deps: SandboxDeps): Promise<void> {
  for (const record of deps.containers.list()) {
    if (deps.sandboxes.knows(record.sandboxId)) continue;
    deps.log.warn({ containerId: record.id, sandboxId: record.sandboxId }, "container without a pod is removed");
    await removeContainer(deps, record.id);
  }
}

import { within } from "../common/deadline.ts";
import { AgentError, errorText, primaryError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import { ContainerIo } from "../runtime/container-io.ts";
import type { ContainerRecord } from "./container-record.ts";
import { deleteTask } from "./delete-task.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { joinedPidNamespaces } from "./pid-namespace.ts";
import { startFailed } from "./plan-exit.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import { watchExit } from "./watch-exit.ts";

const undoTimeoutMs = 20_000;

/**
 * Starts a created container. When its process can't be started, the container ends as EXITED with code 128 and the
 * runtime's own words, which kubelet shows to its users. The caller holds the container's lock.
 * @throws AgentError as the runtime gave it
 */
export async function startContainer(
  deps: SandboxDeps,
  record: ContainerRecord,
  sandbox: SandboxRecord,
): Promise<void> {
  const starting = deps.containers.put({ ...record, state: { kind: "starting" } });
  failpoint("start.recorded");
  try {
    await launch(deps, starting, sandbox);
  } catch (error) {
    deps.containers.put({ ...starting, state: startFailed(Date.now(), errorText(error)) });
    throw primaryError(error);
  }
}

async function launch(deps: SandboxDeps, record: ContainerRecord, sandbox: SandboxRecord): Promise<void> {
  const pod = sandboxPaths(deps.layout, sandbox.id, sandbox.spec.cgroupParent);
  const paths = containerPaths(deps.layout, record.id, pod.cgroup);
  const { settings } = record.spec;
  const shim = await deps.shims.ensure(sandbox);
  failpoint("start.shim-ready");
  // Whose namespace the spec joins must still be there, for the kernel gives a dead process's number to another.
  joinedPidNamespaces(deps, sandbox, record);
  await using undo = new AsyncDisposableStack();
  const io = await ContainerIo.create({
    directory: paths.stdio,
    logPath: record.logPath,
    terminal: settings.tty,
    stdin: settings.stdin,
    log: deps.log.child({ containerId: record.id }),
  });
  undo.defer(() => io.remove());
  failpoint("start.io-opened");
  undo.defer(() => within("Deleting the failed task", undoTimeoutMs, deleteTask(shim, record.id)));
  await shim.create({
    id: record.id,
    bundle: paths.bundle,
    ...io.paths,
    options: deps.shims.taskOptions(sandbox),
  });
  failpoint("start.task-created");
  io.start();
  const exit = shim.wait(record.id);
  exit.catch(() => undefined);
  const startedAtMs = Date.now();
  const pid = await shim.start(record.id);
  failpoint("start.task-started");
  deps.containers.put({ ...record, state: { kind: "running", startedAtMs, pid } });
  failpoint("start.done");
  deps.tasks.add(record.id, {
    io,
    exited: watchExit(deps, record.id, shim, exit),
  });
  undo.move();
}

/** @throws AgentError FailedPrecondition unless the container was created and not started yet */
export function requireStartable(record: ContainerRecord, sandbox: SandboxRecord): void {
  if (record.state.kind !== "created") {
    throw new AgentError(
      "FailedPrecondition",
      `Container "${record.id}" is ${record.state.kind}: only a created container can be started`,
    );
  }
  if (sandbox.state !== "ready") {
    throw new AgentError(
      "FailedPrecondition",
      `Pod sandbox "${sandbox.id}" is not ready: its containers can't be started`,
    );
  }
}

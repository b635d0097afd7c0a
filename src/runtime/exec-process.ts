import { readdirSync } from "node:fs";
import { join } from "node:path";
import { abortError, within } from "../common/deadline.ts";
import { AgentError, errnoOf, errorText, hasCode } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Log } from "../common/log.ts";
import { removeTree } from "../system/files.ts";
import { type ProcessIdentity, readProcessStat } from "../system/process.ts";
import { killTree } from "./kill-tree.ts";
import type { ExecTask, ProcessExit, Shim } from "./shim.ts";

/** The container that commands run in. */
export interface ExecTarget {
  readonly shim: Shim;
  readonly containerId: string;
  /** Where execs of this container have their FIFOs; an entry there is the record that recoverExecs finds. */
  readonly directory: string;
  readonly log: Log;
}

/** A command that runs in a container. */
export interface RunningExec {
  readonly target: ExecTarget;
  readonly execId: string;
  /** Rejects when the shim dies. */
  readonly exited: Promise<ProcessExit>;
  /** undefined: it had ended before anybody looked. */
  readonly root: ProcessIdentity | undefined;
}

const exitAfterKillMs = 10_000;
/** Deleting waits for children that hold the outputs, up to 10 s; nobody has to wait for that. */
const deleteBeforeAnswerMs = 250;
const SIGKILL = 9;

/**
 * Starts a command in a running container. The directory that is named like the exec must be there already.
 * @param cleanUp gets what takes the exec out of the shim again, whatever became of it
 * @throws AgentError Unavailable when the shim dies, Internal with the runtime's words
 */
export async function startExec(
  target: ExecTarget,
  task: ExecTask,
  cleanUp: AsyncDisposableStack,
): Promise<RunningExec> {
  const { shim, containerId } = target;
  const { execId } = task;
  failpoint("exec.directory-made");
  cleanUp.defer(() => answerBefore(deleteExec(shim, containerId, execId), target.log, containerId));
  await shim.exec(containerId, task);
  failpoint("exec.added");
  const pid = await shim.start(containerId, execId);
  failpoint("exec.started");
  const root = readProcessStat(pid);
  const exited = shim.wait(containerId, execId);
  exited.catch(() => undefined);
  return { target, execId, exited, root };
}

/**
 * Kills and deletes the execs that an agent left behind when it ended: their callers have gone, and the shim keeps each
 * until it is deleted.
 */
export async function recoverExecs(shim: Shim, containerId: string, directory: string, log: Log): Promise<void> {
  for (const execId of listExecs(directory)) {
    try {
      const { kind, pid } = await shim.state(containerId, execId);
      const root = kind === "running" ? readProcessStat(pid) : undefined;
      if (root !== undefined) await killTree(root);
      await deleteExec(shim, containerId, execId);
    } catch (error) {
      // NotFound: it was not added yet, or deleted already.
      if (!hasCode(error, "NotFound")) log.warn({ containerId, execId, error: errorText(error) }, "exec left behind");
    }
    await removeTree(join(directory, execId));
  }
}

/** @returns why to stop it, or undefined when it has exited (or its shim has died) by itself */
export async function firstOf(
  exited: Promise<ProcessExit>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<AgentError | undefined> {
  const { promise, resolve } = Promise.withResolvers<AgentError | undefined>();
  const onAbort = () => resolve(signal === undefined ? undefined : abortError(signal));
  const expire = () =>
    resolve(new AgentError("DeadlineExceeded", `The command did not end within ${timeoutMs} ms and was killed`));
  const timer = timeoutMs > 0 ? setTimeout(expire, Math.min(timeoutMs, 2 ** 31 - 1)) : undefined;
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted) onAbort();
  exited.then(
    () => resolve(undefined),
    () => resolve(undefined),
  );
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** Kills the command with everything it has started, and waits for its exit. Never rejects. */
export async function killExec({ target, execId, root, exited }: RunningExec): Promise<void> {
  const { containerId, log } = target;
  try {
    const gone = root === undefined ? true : await killTree(root);
    if (!gone) log.warn({ containerId, execId }, "processes of an exec survive SIGKILL");
    await within("The killed command's exit", exitAfterKillMs, exited);
  } catch (error) {
    // The caller hears that its time was up, whatever became of the rest.
    log.warn({ containerId, execId, error: errorText(error) }, "killed exec did not end");
  }
}

/** Frees the exec in the shim, whatever state it is in. */
async function deleteExec(shim: Shim, containerId: string, execId: string): Promise<void> {
  try {
    await shim.delete(containerId, execId);
    return;
  } catch (error) {
    if (hasCode(error, "Unavailable")) return;
  }
  // It runs, because its start answered too late: whoever wanted it has gone.
  try {
    await shim.kill(containerId, { execId, signal: SIGKILL });
  } catch (error) {
    if (!hasCode(error, "NotFound")) throw error;
  }
  await within("The exec's exit", exitAfterKillMs, shim.wait(containerId, execId));
  await shim.delete(containerId, execId);
}

async function answerBefore(cleanUp: Promise<void>, log: Log, containerId: string): Promise<void> {
  const logged = cleanUp.catch((error: unknown) =>
    log.warn({ containerId, error: errorText(error) }, "exec could not be deleted"),
  );
  await endsWithin(deleteBeforeAnswerMs, logged);
}

/** Waits for something that does not reject, but not longer than this. */
export async function endsWithin(timeoutMs: number, work: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, timeoutMs);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

function listExecs(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

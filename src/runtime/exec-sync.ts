import { readdirSync } from "node:fs";
import { join } from "node:path";
import { abortError, within } from "../common/deadline.ts";
import { AgentError, errnoOf, errorText, hasCode } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import { newId } from "../common/ids.ts";
import type { Log } from "../common/log.ts";
import { removeTree } from "../system/files.ts";
import { type ProcessIdentity, readProcessStat } from "../system/process.ts";
import { ExecOutput } from "./exec-output.ts";
import { killTree } from "./kill-tree.ts";
import type { ProcessExit, Shim } from "./shim.ts";

export interface ExecSyncRequest {
  readonly shim: Shim;
  readonly containerId: string;
  /** Where execs of this container have their FIFOs; an entry there is the record that recoverExecs finds. */
  readonly directory: string;
  /** The OCI runtime spec's `process` object, without a terminal. */
  readonly process: object;
  /** From the start of the process; 0: no limit. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly log: Log;
  /** Of each output; 16 MiB unless told. */
  readonly mostOutputBytes?: number;
  /** How long to read on after the exit while children hold the outputs open; 2 seconds unless told. */
  readonly drainMs?: number;
}

export interface ExecSyncResult {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exitCode: number;
}

/** CVE-2022-31030: without a limit a probe's output ends the agent. */
const usualOutputBytes = 16 << 20;
const usualDrainMs = 2_000;
const exitAfterKillMs = 10_000;
/** Deleting waits for children that hold the outputs, up to 10 s; nobody has to wait for that. */
const deleteBeforeAnswerMs = 250;
const SIGKILL = 9;

/**
 * Runs a command in a running container, with /dev/null as its input, and returns what it printed. When the time or
 * the caller's patience ends, everything the command has started is killed. Children that outlive a command which
 * ended by itself are left alone. Nothing of the exec is left in the shim or on disk.
 * @throws AgentError DeadlineExceeded, Cancelled, Unavailable when the shim dies, Internal with the runtime's words
 */
export async function execSync(request: ExecSyncRequest): Promise<ExecSyncResult> {
  const { shim, containerId, timeoutMs, signal } = request;
  if (signal?.aborted) throw abortError(signal);
  const execId = newId();
  await using cleanUp = new AsyncDisposableStack();
  const output = cleanUp.use(
    new ExecOutput(join(request.directory, execId), request.mostOutputBytes ?? usualOutputBytes),
  );
  failpoint("exec.directory-made");
  cleanUp.defer(() => answerBefore(deleteExec(shim, containerId, execId), request.log, containerId));
  await shim.exec(containerId, { execId, process: request.process, ...output.paths });
  failpoint("exec.added");
  const pid = await shim.start(containerId, execId);
  failpoint("exec.started");
  const root = readProcessStat(pid);
  const ended = output.collect();
  const exited = shim.wait(containerId, execId);
  const stop = await firstOf(exited, timeoutMs, signal);
  if (stop !== undefined) {
    await killExec(request, execId, root, exited);
    throw stop;
  }
  const { exitCode } = await exited;
  await endsWithin(request.drainMs ?? usualDrainMs, ended);
  return { stdout: output.stdout, stderr: output.stderr, exitCode };
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
async function firstOf(
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

async function killExec(
  request: ExecSyncRequest,
  execId: string,
  root: ProcessIdentity | undefined,
  exited: Promise<ProcessExit>,
): Promise<void> {
  const { containerId, log } = request;
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
async function endsWithin(timeoutMs: number, work: Promise<void>): Promise<void> {
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

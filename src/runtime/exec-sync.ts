import { join } from "node:path";
import { abortError } from "../common/deadline.ts";
import { newId } from "../common/ids.ts";
import { ExecOutput } from "./exec-output.ts";
import { type ExecTarget, endsWithin, firstOf, killExec, startExec } from "./exec-process.ts";

export interface ExecSyncRequest extends ExecTarget {
  /** The OCI runtime spec's `process` object, without a terminal. */
  readonly process: object;
  /** From the start of the process; 0: no limit. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
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

/**
 * Runs a command in a running container, with /dev/null as its input, and returns what it printed. When the time or
 * the caller's patience ends, everything the command has started is killed. Children that outlive a command which
 * ended by itself are left alone. Nothing of the exec is left in the shim or on disk.
 * @throws AgentError DeadlineExceeded, Cancelled, Unavailable when the shim dies, Internal with the runtime's words
 */
export async function execSync(request: ExecSyncRequest): Promise<ExecSyncResult> {
  const { timeoutMs, signal } = request;
  if (signal?.aborted) throw abortError(signal);
  const execId = newId();
  await using cleanUp = new AsyncDisposableStack();
  const output = cleanUp.use(
    new ExecOutput(join(request.directory, execId), request.mostOutputBytes ?? usualOutputBytes),
  );
  const exec = await startExec(request, { execId, process: request.process, ...output.paths }, cleanUp);
  const ended = output.collect();
  const stop = await firstOf(exec.exited, timeoutMs, signal);
  if (stop !== undefined) {
    await killExec(exec);
    throw stop;
  }
  const { exitCode } = await exec.exited;
  await endsWithin(request.drainMs ?? usualDrainMs, ended);
  return { stdout: output.stdout, stderr: output.stderr, exitCode };
}

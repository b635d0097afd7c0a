import { join } from "node:path";
import { abortError } from "../common/deadline.ts";
import { errorText, hasCode } from "../common/errors.ts";
import { newId } from "../common/ids.ts";
import type { ProcessStreams, TerminalSize } from "../common/process-streams.ts";
import { ExecFifos } from "./exec-fifos.ts";
import { type ExecTarget, endsWithin, firstOf, killExec, type RunningExec, startExec } from "./exec-process.ts";
import { followSize } from "./follow-size.ts";
import { pumpInput } from "./input-pump.ts";
import { drained, OutputPump } from "./output-pump.ts";

export interface ExecStreamRequest extends ExecTarget {
  /** The OCI runtime spec's `process` object. */
  readonly process: object & { readonly terminal: boolean };
  readonly streams: ProcessStreams;
}

/** How long to read on after the exit while children hold the outputs open. */
const drainMs = 2_000;
/** What a command may take to end after its terminal was hung up, before it is killed. */
const hangUpMs = 2_000;
const SIGHUP = 1;

/**
 * Runs a command in a running container on a client's streams. A client that goes away takes the command with it. On a
 * terminal that is SIGHUP, as when a terminal is closed, and SIGKILL for all it has started if that doesn't end it;
 * without one it is SIGKILL for all of it at once, for the parts of a pipeline would outlive their shell. Children that
 * outlive a command which ended by itself are left alone. Nothing of the exec is left in the shim or on disk.
 * @returns the exit code, once all output was handed to the streams
 * @throws AgentError what `gone` aborted with, Unavailable when the shim dies, Internal with the runtime's words
 */
export async function execStream(request: ExecStreamRequest): Promise<number> {
  const { streams, process } = request;
  if (streams.gone.aborted) throw abortError(streams.gone);
  const { terminal } = process;
  const execId = newId();
  await using cleanUp = new AsyncDisposableStack();
  const fifos = cleanUp.use(
    new ExecFifos(join(request.directory, execId), {
      terminal,
      stdin: streams.stdin !== undefined,
      stdout: streams.stdout !== undefined,
      stderr: streams.stderr !== undefined && !terminal,
    }),
  );
  const { latest } = streams.sizes;
  const sized = terminal && latest !== undefined ? { ...process, consoleSize: latest } : process;
  const exec = await startExec(request, { execId, process: sized, ...fifos.paths }, cleanUp);
  const pumps = [...fifos.readers].flatMap(([stream, reader]) => {
    const sink = streams[stream];
    return sink === undefined ? [] : [new OutputPump(reader, sink)];
  });
  for (const pump of pumps) pump.start();
  if (streams.stdin !== undefined) {
    const input = cleanUp.use(pumpInput(streams.stdin, () => fifos.openStdin(), exec.exited));
    void input.ended.then(() =>
      quietly(exec, "close the input", () => request.shim.closeIo(request.containerId, execId)),
    );
  }
  if (terminal) {
    const resize = ({ width, height }: TerminalSize) =>
      request.shim.resizePty(request.containerId, execId, width, height);
    followSize(streams.sizes, latest, resize, request.log);
  }
  const stop = await firstOf(exec.exited, 0, streams.gone);
  if (stop !== undefined) {
    if (terminal) await hangUp(exec);
    else await killExec(exec);
    throw stop;
  }
  const { exitCode } = await exec.exited;
  await drained(pumps, drainMs);
  return exitCode;
}

async function hangUp(exec: RunningExec): Promise<void> {
  const { shim, containerId } = exec.target;
  await quietly(exec, "hang up", () => shim.kill(containerId, { execId: exec.execId, signal: SIGHUP }));
  let ended = false;
  const settled = exec.exited.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  await endsWithin(hangUpMs, settled);
  if (!ended) await killExec(exec);
}

/** What may come too late, because the command has just ended. */
async function quietly({ target, execId }: RunningExec, step: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (hasCode(error, "NotFound") || hasCode(error, "Unavailable")) return;
    target.log.debug({ containerId: target.containerId, execId, step, error: errorText(error) }, "exec step failed");
  }
}

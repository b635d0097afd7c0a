import { abortError } from "../common/deadline.ts";
import { AgentError, errorText, hasCode } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import type { ProcessStreams, TerminalSize } from "../common/process-streams.ts";
import type { ContainerIo } from "./container-io.ts";
import { followSize } from "./follow-size.ts";
import { type InputPump, pumpInput } from "./input-pump.ts";
import type { Shim } from "./shim.ts";

export interface AttachRequest {
  readonly shim: Shim;
  readonly containerId: string;
  readonly io: ContainerIo;
  /** Whether the container has an input at all; without one the client's is dropped. */
  readonly stdin: boolean;
  /** Whether the end of the first client's input is the container's. */
  readonly stdinOnce: boolean;
  readonly terminal: boolean;
  readonly streams: ProcessStreams;
  readonly log: Log;
}

/** What may wait for a client that reads more slowly than its container writes; then it has to go. */
const mostBacklogBytes = 1 << 20;

/**
 * Connects a client to a container's streams: copies of the output from now on, and the input, which all clients share.
 * Resolves when the container's output has ended; or when the client has ended its input, unless that closes the
 * container's (`stdinOnce` without a terminal) and the client stays for what the container has to say to it.
 * @throws AgentError what `gone` aborted with; ResourceExhausted for a client that is too slow, as it must not hold up
 * the container and its log
 */
export async function attachStream(request: AttachRequest): Promise<void> {
  const { io, streams, terminal, stdinOnce } = request;
  if (streams.gone.aborted) throw abortError(streams.gone);
  const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
  const onGone = () => reject(abortError(streams.gone));
  streams.gone.addEventListener("abort", onGone, { once: true });
  using _tap = io.tap((stream, bytes) => {
    const sink = streams[stream];
    if (sink === undefined || sink.destroyed) return;
    sink.write(bytes);
    if (sink.writableLength > mostBacklogBytes) reject(tooSlow(sink.writableLength));
  });
  void io.drained.then(resolve);
  if (terminal) {
    const resize = ({ width, height }: TerminalSize) => request.shim.resizePty(request.containerId, "", width, height);
    followSize(streams.sizes, undefined, resize, request.log);
  }
  using input = startInput(request);
  const closesInput = stdinOnce && !terminal;
  const closed = input?.ended.then(async (end) => {
    if (closesInput) await closeInput(request);
    // The container may have closed its input long before its output.
    else if (end === "ended") resolve();
  });
  try {
    await ended;
  } catch (error) {
    // A client that goes away has ended its input too.
    input?.[Symbol.dispose]();
    await closed;
    throw error;
  } finally {
    streams.gone.removeEventListener("abort", onGone);
  }
}

function startInput({ io, streams, stdin }: AttachRequest): InputPump | undefined {
  if (streams.stdin === undefined) return undefined;
  if (stdin) return pumpInput(streams.stdin, () => io.openStdin(), io.drained);
  streams.stdin.resume();
  return undefined;
}

async function closeInput({ shim, containerId, log }: AttachRequest): Promise<void> {
  try {
    await shim.closeIo(containerId);
  } catch (error) {
    // The container may have ended meanwhile.
    if (hasCode(error, "NotFound") || hasCode(error, "Unavailable")) return;
    log.warn({ error: errorText(error) }, "container's input can't be closed");
  }
}

function tooSlow(bytes: number): AgentError {
  return new AgentError(
    "ResourceExhausted",
    `The attached client reads too slowly: ${bytes} bytes wait for it, at most ${mostBacklogBytes} may`,
  );
}

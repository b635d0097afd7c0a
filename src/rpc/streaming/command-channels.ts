import type { Readable, Writable } from "node:stream";
import { AgentError } from "../../common/errors.ts";
import type { ProcessStreams } from "../../common/process-streams.ts";
import { type CommandOutcome, encodeStatus } from "./command-status.ts";
import { LatestSize, ResizeReader } from "./terminal-resize.ts";

/** Which streams an exec or attach has. */
export interface WantedStreams {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** The streams of an exec or attach, however they are carried. */
export interface CarriedStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly error: Writable;
  readonly resize: Readable | undefined;
  readonly status: "json" | "text";
  /** Resolves, never rejects, when the connection has gone. */
  readonly closed: Promise<Error | undefined>;
  /** Closes the connection after everything that was written. */
  end(): void;
}

/**
 * Serves one exec or attach: runs it on the client's streams, and tells the client at last how it ended, after all its
 * output.
 * @param stop aborts when the agent ends, with what to tell the client
 * @returns the outcome, for the log
 */
export async function serveCommand(
  carried: CarriedStreams,
  stop: AbortSignal,
  run: (streams: ProcessStreams) => Promise<CommandOutcome>,
): Promise<CommandOutcome> {
  const left = new AbortController();
  void carried.closed.then(() => left.abort(new AgentError("Cancelled", "The client has gone")));
  const { stdin, stdout, stderr } = carried;
  const gone = AbortSignal.any([left.signal, stop]);
  let outcome: CommandOutcome;
  try {
    outcome = await run({ stdin, stdout, stderr, sizes: followSizes(carried.resize), gone });
  } catch (error) {
    outcome = { kind: "failed", message: error instanceof Error ? error.message : String(error) };
  }
  // Whatever the client still sends has nobody to go to, and must not keep its other frames waiting.
  stdin?.resume();
  await Promise.all([ended(stdout), ended(stderr)]);
  carried.error.end(encodeStatus(outcome, carried.status));
  await ended(carried.error);
  carried.end();
  return outcome;
}

function followSizes(resize: Readable | undefined): LatestSize {
  const sizes = new LatestSize();
  const reader = new ResizeReader();
  resize?.on("data", (chunk: Buffer) => {
    for (const size of reader.push(chunk)) sizes.set(size);
  });
  return sizes;
}

/** Ends the stream. Resolves when all that was written to it has left, or can't any more. */
async function ended(stream: Writable | undefined): Promise<void> {
  if (stream === undefined || stream.destroyed || stream.writableFinished) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  stream.once("finish", resolve);
  stream.once("close", resolve);
  stream.end();
  await promise;
}

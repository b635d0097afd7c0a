import type { Readable, Writable } from "node:stream";

/** Of a terminal, in characters; both 1 or more. */
export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** The sizes of a client's terminal as they come. */
export interface TerminalSizes {
  /** The last one that came, if any. */
  readonly latest: TerminalSize | undefined;
  /** @param listener called for every later one; there is one listener */
  onChange(listener: (size: TerminalSize) => void): void;
}

/**
 * A client's ends of a process's streams. Writers wait for `drain` as with every stream; a stream that is destroyed has
 * no reader any more, and what is meant for it is dropped.
 */
export interface ProcessStreams {
  readonly stdin: Readable | undefined;
  readonly stdout: Writable | undefined;
  readonly stderr: Writable | undefined;
  readonly sizes: TerminalSizes;
  /** Aborts, with an AgentError, when the client has gone or the agent ends. */
  readonly gone: AbortSignal;
}

import { mkdirSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { errnoOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { ContainerLog, type LogCounters } from "./container-log.ts";
import { CriLogEncoder, criTime, type LogStream } from "./cri-log.ts";
import { FifoReader, makeFifo, openFifoWriter } from "./fifo.ts";
import { preciseNowMs } from "./log-clock.ts";
import type { StdioPaths } from "./shim.ts";

export interface ContainerIoOptions {
  /** Where the FIFOs lie; made and removed here. */
  readonly directory: string;
  /** One merged stream, as stdout. */
  readonly terminal: boolean;
  /** Whether the process gets an input; otherwise it reads /dev/null. */
  readonly stdin: boolean;
  /** Absolute path; empty: the output is read and discarded. */
  readonly logPath: string;
  readonly log: Log;
}

/** Gets a copy of all output from now on; it may keep the bytes, and must not throw. */
export type OutputTap = (stream: LogStream, bytes: Buffer) => void;

/**
 * A container's standard streams: FIFOs whose other ends the shim holds, and the log that is written from them. A slow
 * log makes the container wait, never the agent.
 *
 * Order: create() → Shim.create(paths) → start(). After a restart of the agent: reopen() → start().
 */
export class ContainerIo {
  readonly #options: ContainerIoOptions;
  readonly #log: ContainerLog;
  readonly #readers: ReadonlyMap<LogStream, FifoReader>;
  readonly #drained = Promise.withResolvers<void>();
  readonly #taps = new Set<OutputTap>();
  #started = false;

  /** What Create gets. */
  readonly paths: StdioPaths;

  /**
   * Resolves, never rejects, when the shim has closed every stream and the last record is in the log. Children that
   * outlive the container's init process hold the streams open until Shim.delete; so bound the wait for this, delete,
   * and wait again.
   */
  readonly drained: Promise<void> = this.#drained.promise;

  private constructor(
    options: ContainerIoOptions,
    paths: StdioPaths,
    log: ContainerLog,
    readers: ReadonlyMap<LogStream, FifoReader>,
  ) {
    this.#options = options;
    this.paths = paths;
    this.#log = log;
    this.#readers = readers;
    log.onDrain(() => {
      for (const reader of readers.values()) reader.resume();
    });
  }

  /**
   * Makes the FIFOs and opens them and the log. Nothing stays open after an error; close() undoes the rest.
   * @throws AgentError of ContainerLog.open, SystemError
   */
  static async create(options: ContainerIoOptions): Promise<ContainerIo> {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    const paths = stdioPaths(options);
    for (const path of [paths.stdin, paths.stdout, paths.stderr]) if (path !== "") makeFifo(path);
    return await ContainerIo.#open(options, paths);
  }

  /**
   * Takes the streams of a container up again. FIFOs that are missing (it was never created, or its directory is half
   * removed) count as ended, so that nothing needs them to be there.
   * @throws AgentError of ContainerLog.open
   */
  static async reopen(options: ContainerIoOptions): Promise<ContainerIo> {
    return await ContainerIo.#open(options, stdioPaths(options));
  }

  static async #open(options: ContainerIoOptions, paths: StdioPaths): Promise<ContainerIo> {
    const readers = new Map<LogStream, FifoReader>();
    using undo = new DisposableStack();
    for (const stream of ["stdout", "stderr"] as const) {
      const reader = paths[stream] === "" ? undefined : openReader(paths[stream]);
      if (reader !== undefined) readers.set(stream, undo.use(reader));
    }
    const log = await ContainerLog.open(options.logPath, options.log);
    undo.move();
    return new ContainerIo(options, paths, log, readers);
  }

  get counters(): LogCounters {
    return this.#log.counters;
  }

  /** Begins to read; only once the shim has opened its ends, that is after Create answered. */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    const ends = [...this.#readers].map(([stream, reader]) => this.#follow(stream, reader));
    // #follow never rejects: writing errors are counted, reading ones end the stream.
    void Promise.all(ends)
      .then(() => this.#log.flush())
      .then(() => this.#drained.resolve());
  }

  /** Lets somebody read along. Disposing the result ends it. */
  tap(tap: OutputTap): Disposable {
    this.#taps.add(tap);
    return { [Symbol.dispose]: () => void this.#taps.delete(tap) };
  }

  /** Goes on in a new log file, after the old one was renamed. @throws AgentError of ContainerLog.open */
  async reopenLog(): Promise<void> {
    await this.#log.reopen();
  }

  /**
   * The writing end of the container's input. Ending it and Shim.closeIo give the container its end of file.
   * @throws SystemError ENXIO before the shim has opened its end
   */
  openStdin(): Socket {
    return openFifoWriter(this.paths.stdin);
  }

  /**
   * Stops reading, writes what was read, and closes the log. An unfinished line becomes a P record, which the next
   * agent's records continue. FIFOs and container are left alone. Idempotent.
   */
  async close(): Promise<void> {
    for (const reader of this.#readers.values()) reader[Symbol.dispose]();
    if (this.#started) await this.drained;
    this.#drained.resolve();
    await this.#log.close();
  }

  /** Closes and removes the FIFOs. Idempotent; also right after a failed Create. */
  async remove(): Promise<void> {
    await this.close();
    rmSync(this.#options.directory, { recursive: true, force: true });
  }

  async #follow(stream: LogStream, reader: FifoReader): Promise<void> {
    const encoder = new CriLogEncoder(stream);
    reader.start((chunk) => {
      if (this.#taps.size > 0) this.#copyToTaps(stream, chunk);
      return this.#log.append(encoder.push(chunk, criTime(preciseNowMs())));
    });
    await reader.ended;
    this.#log.append(encoder.end(criTime(preciseNowMs())));
  }

  #copyToTaps(stream: LogStream, chunk: Buffer): void {
    // One for all: the chunk's own memory is used for the next read.
    const bytes = Buffer.from(chunk);
    for (const tap of this.#taps) tap(stream, bytes);
  }
}

function stdioPaths({ directory, terminal, stdin }: ContainerIoOptions): StdioPaths {
  return {
    stdin: stdin ? join(directory, "stdin") : "",
    stdout: join(directory, "stdout"),
    stderr: terminal ? "" : join(directory, "stderr"),
    terminal,
  };
}

function openReader(path: string): FifoReader | undefined {
  try {
    return new FifoReader(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

import { rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { makePrivateDirectory } from "../system/files.ts";
import type { LogStream } from "./cri-log.ts";
import { FifoReader, makeFifo, openFifoWriter } from "./fifo.ts";
import type { StdioPaths } from "./shim.ts";

export interface ExecStdio {
  readonly stdin: boolean;
  readonly stdout: boolean;
  /** Never with a terminal, which has one output. */
  readonly stderr: boolean;
  readonly terminal: boolean;
}

/** The FIFOs of one exec, in a directory of its own that goes with them. */
export class ExecFifos implements Disposable {
  readonly #directory: string;
  readonly paths: StdioPaths;
  /** Of the outputs that were wanted. */
  readonly readers: ReadonlyMap<LogStream, FifoReader>;

  /** @throws SystemError, with nothing left behind */
  constructor(directory: string, { stdin, stdout, stderr, terminal }: ExecStdio) {
    const path = (name: string, wanted: boolean) => (wanted ? join(directory, name) : "");
    this.#directory = directory;
    this.paths = {
      stdin: path("stdin", stdin),
      stdout: path("stdout", stdout),
      stderr: path("stderr", stderr),
      terminal,
    };
    makePrivateDirectory(directory);
    using undo = new DisposableStack();
    undo.defer(() => rmSync(directory, { recursive: true, force: true }));
    if (stdin) makeFifo(this.paths.stdin);
    const readers = new Map<LogStream, FifoReader>();
    for (const stream of ["stdout", "stderr"] as const) {
      if (this.paths[stream] === "") continue;
      makeFifo(this.paths[stream]);
      readers.set(stream, undo.use(new FifoReader(this.paths[stream])));
    }
    this.readers = readers;
    undo.move();
  }

  /** The command's input, once it was started. @throws SystemError ENXIO when it has ended already */
  openStdin(): Socket {
    return openFifoWriter(this.paths.stdin);
  }

  /** Closes and removes the FIFOs. */
  [Symbol.dispose](): void {
    for (const reader of this.readers.values()) reader[Symbol.dispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

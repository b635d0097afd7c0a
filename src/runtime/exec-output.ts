import { rmSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory } from "../system/files.ts";
import { FifoReader, makeFifo } from "./fifo.ts";
import type { StdioPaths } from "./shim.ts";

/** Both outputs of one exec, collected in memory up to a limit; what comes beyond it is read and discarded. */
export class ExecOutput implements Disposable {
  readonly #directory: string;
  readonly #stdout: Collector;
  readonly #stderr: Collector;
  readonly paths: StdioPaths;

  /**
   * Makes the FIFOs in the directory, which is the exec's own.
   * @throws SystemError
   */
  constructor(directory: string, mostBytes: number) {
    this.#directory = directory;
    this.paths = { stdin: "", stdout: join(directory, "stdout"), stderr: join(directory, "stderr"), terminal: false };
    makePrivateDirectory(directory);
    using undo = new DisposableStack();
    undo.defer(() => rmSync(directory, { recursive: true, force: true }));
    this.#stdout = undo.use(new Collector(this.paths.stdout, mostBytes));
    this.#stderr = undo.use(new Collector(this.paths.stderr, mostBytes));
    undo.move();
  }

  /** Begins to read; once the shim has opened its ends, that is after Start answered. @returns when both have ended */
  async collect(): Promise<void> {
    await Promise.all([this.#stdout.collect(), this.#stderr.collect()]);
  }

  get stdout(): Buffer {
    return this.#stdout.bytes;
  }

  get stderr(): Buffer {
    return this.#stderr.bytes;
  }

  /** Closes and removes the FIFOs. */
  [Symbol.dispose](): void {
    this.#stdout[Symbol.dispose]();
    this.#stderr[Symbol.dispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

class Collector implements Disposable {
  readonly #reader: FifoReader;
  readonly #chunks: Buffer[] = [];
  #room: number;

  constructor(path: string, mostBytes: number) {
    makeFifo(path);
    this.#reader = new FifoReader(path);
    this.#room = mostBytes;
  }

  async collect(): Promise<void> {
    this.#reader.start((chunk) => {
      if (this.#room > 0) this.#chunks.push(Buffer.from(chunk.subarray(0, this.#room)));
      this.#room = Math.max(0, this.#room - chunk.length);
      return true;
    });
    await this.#reader.ended;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }
}

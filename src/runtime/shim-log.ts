import { join } from "node:path";
import type { Log } from "../common/log.ts";
import { FifoReader, makeFifo } from "./fifo.ts";

const longestLine = 4096;

/**
 * Drains a shim's log. A shim opens the FIFO `log` in its bundle before it serves anything and waits for a reader;
 * later it stands still when the FIFO is full.
 */
export class ShimLog implements Disposable {
  readonly #reader: FifoReader;
  readonly #log: Log;
  #rest = "";

  /** @throws SystemError */
  constructor(bundle: string, log: Log) {
    const path = join(bundle, "log");
    makeFifo(path);
    this.#log = log;
    this.#reader = new FifoReader(path, { alsoWriter: true });
    this.#reader.start((chunk) => this.#take(chunk));
  }

  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
  }

  #take(chunk: Buffer): boolean {
    const lines = (this.#rest + chunk.toString("latin1")).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, longestLine);
    // A shim warns about much that is usual (a pid file that is not there yet), so none of it is above debug.
    for (const line of lines) if (line !== "") this.#log.debug({ line: line.slice(0, longestLine) }, "shim");
    return true;
  }
}

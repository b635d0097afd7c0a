import type { LogStream } from "./cri-log.ts";
import { ExecFifos } from "./exec-fifos.ts";
import type { FifoReader } from "./fifo.ts";
import type { StdioPaths } from "./shim.ts";

/** Both outputs of one exec, collected in memory up to a limit; what comes beyond it is read and discarded. */
export class ExecOutput implements Disposable {
  readonly #fifos: ExecFifos;
  readonly #collectors: ReadonlyMap<LogStream, Collector>;

  /**
   * Makes the FIFOs in the directory, which is the exec's own.
   * @throws SystemError
   */
  constructor(directory: string, mostBytes: number) {
    this.#fifos = new ExecFifos(directory, { stdin: false, stdout: true, stderr: true, terminal: false });
    this.#collectors = new Map(
      [...this.#fifos.readers].map(([stream, reader]) => [stream, new Collector(reader, mostBytes)]),
    );
  }

  get paths(): StdioPaths {
    return this.#fifos.paths;
  }

  /** Begins to read; once the shim has opened its ends, that is after Start answered. @returns when both have ended */
  async collect(): Promise<void> {
    await Promise.all([...this.#collectors.values()].map((collector) => collector.collect()));
  }

  get stdout(): Buffer {
    return this.#collectors.get("stdout")?.bytes ?? Buffer.alloc(0);
  }

  get stderr(): Buffer {
    return this.#collectors.get("stderr")?.bytes ?? Buffer.alloc(0);
  }

  /** Closes and removes the FIFOs. */
  [Symbol.dispose](): void {
    this.#fifos[Symbol.dispose]();
  }
}

class Collector {
  readonly #reader: FifoReader;
  readonly #chunks: Buffer[] = [];
  #room: number;

  constructor(reader: FifoReader, mostBytes: number) {
    this.#reader = reader;
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
}

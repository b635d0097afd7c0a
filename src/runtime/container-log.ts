import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { dirname } from "node:path";
import { AgentError, errorText } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { makeDirectory } from "../system/make-directory.ts";

/** Beyond this the writer is slower than its container, which then has to wait. */
const highWaterBytes = 1 << 20;
const newline = 0x0a;

export interface LogCounters {
  readonly writtenBytes: number;
  /** Lost because the file could not be written, for instance on a full disk. */
  readonly droppedBytes: number;
  readonly failedWrites: number;
}

/**
 * A container's log file. Only whole records are written, each by a single write, and a record is never split over two
 * files. What can't be written is dropped and counted: a full disk must not stop a container.
 */
export class ContainerLog {
  readonly #path: string;
  readonly #log: Log;
  #file: FileHandle | undefined;
  /** Replaces the file between two writes. */
  #next: { readonly file: FileHandle; readonly swapped: () => void } | undefined;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #pump: Promise<void> | undefined;
  #drainListener: () => void = () => undefined;
  #counters = { writtenBytes: 0, droppedBytes: 0, failedWrites: 0 };

  private constructor(path: string, file: FileHandle | undefined, log: Log) {
    this.#path = path;
    this.#file = file;
    this.#log = log;
  }

  /**
   * @param path absolute; empty: records are discarded
   * @throws AgentError InvalidArgument when the path is no regular file, SystemFailure when it can't be opened
   */
  static async open(path: string, log: Log): Promise<ContainerLog> {
    return new ContainerLog(path, path === "" ? undefined : await openLogFile(path), log);
  }

  get counters(): LogCounters {
    return { ...this.#counters };
  }

  /** Takes whole records. @returns false when the caller should wait for onDrain before it brings more */
  append(records: Buffer): boolean {
    if (this.#file === undefined || records.length === 0) return true;
    this.#queue.push(records);
    this.#queuedBytes += records.length;
    this.#pump ??= this.#writeAll();
    return this.#queuedBytes < highWaterBytes;
  }

  /** @param listener called when append may be called again */
  onDrain(listener: () => void): void {
    this.#drainListener = listener;
  }

  /** Resolves when what was appended until now is in the file, or dropped. */
  async flush(): Promise<void> {
    while (this.#pump !== undefined) await this.#pump;
  }

  /**
   * Goes on in a file that is opened anew, after somebody renamed the old one.
   * @throws like open(); the old file then stays in use
   */
  async reopen(): Promise<void> {
    if (this.#file === undefined) return;
    const file = await openLogFile(this.#path);
    const { promise, resolve } = Promise.withResolvers<void>();
    // Two at once: the later one wins, and the earlier one's file is the same one.
    const before = this.#next;
    this.#next = { file, swapped: resolve };
    if (before !== undefined) {
      before.swapped();
      await before.file.close();
    }
    this.#pump ??= this.#writeAll();
    await promise;
  }

  /** Writes what is queued and closes the file. */
  async close(): Promise<void> {
    await this.flush();
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #writeAll(): Promise<void> {
    // Lets the other stream's records join the first write.
    await undefined;
    while (this.#file !== undefined && (this.#queue.length > 0 || this.#next !== undefined)) {
      if (this.#next !== undefined) await this.#swap(this.#next);
      const batch = this.#queue;
      const bytes = this.#queuedBytes;
      this.#queue = [];
      await this.#write(this.#file, batch.length === 1 && batch[0] !== undefined ? batch[0] : Buffer.concat(batch));
      this.#queuedBytes -= bytes;
      if (this.#queuedBytes < highWaterBytes) this.#drainListener();
    }
    this.#pump = undefined;
  }

  async #swap(next: { readonly file: FileHandle; readonly swapped: () => void }): Promise<void> {
    const old = this.#file;
    this.#file = next.file;
    this.#next = undefined;
    next.swapped();
    try {
      await old?.close();
    } catch (error) {
      // Its records are in the kernel's hands already; a late error of the disk has nobody to go to.
      this.#log.warn({ path: this.#path, error: errorText(error) }, "closing the old log failed");
    }
  }

  async #write(file: FileHandle, records: Buffer): Promise<void> {
    let done = 0;
    try {
      while (done < records.length) {
        const { bytesWritten } = await file.write(records, done);
        done += bytesWritten;
      }
    } catch (error) {
      await this.#dropTornRecord(file, records.subarray(0, done));
      this.#counters.droppedBytes += records.length - done;
      this.#counters.failedWrites++;
      // Once for each doubling: a full disk fails every write.
      if (Math.log2(this.#counters.failedWrites) % 1 === 0) {
        this.#log.warn({ path: this.#path, error: errorText(error), ...this.#counters }, "log records dropped");
      }
    }
    this.#counters.writtenBytes += done;
  }

  /** A disk that fills up may take the first part of a record; readers would see the next one glued to it. */
  async #dropTornRecord(file: FileHandle, written: Buffer): Promise<void> {
    const torn = written.length - (written.lastIndexOf(newline) + 1);
    if (torn === 0) return;
    try {
      const { size } = await file.stat();
      await file.truncate(size - torn);
    } catch (error) {
      this.#log.warn({ path: this.#path, error: errorText(error) }, "torn log record stays");
    }
  }
}

async function openLogFile(path: string): Promise<FileHandle> {
  let file: FileHandle;
  try {
    await makeDirectory(dirname(path), 0o755);
    // Not following a link and not waiting on a FIFO: the directory belongs to the caller, the agent is root.
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    file = await open(path, flags | constants.O_NONBLOCK, 0o640);
  } catch (cause) {
    const text = `Can't open container log ${JSON.stringify(path)}: ${errorText(cause)}`;
    throw new AgentError("SystemFailure", text, { cause });
  }
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new AgentError("InvalidArgument", `Container log ${JSON.stringify(path)} must be a regular file`);
}

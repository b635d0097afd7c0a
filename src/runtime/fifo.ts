import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { Socket } from "node:net";
import { errnoOf, SystemError } from "../common/errors.ts";
import { AT_FDCWD, check, cString, libc } from "../system/libc.ts";

/** One for all FIFOs, as long as a pipe holds: what was read is consumed before the next read of any of them. */
const readBuffer = Buffer.allocUnsafeSlow(64 << 10);

/** Makes a FIFO only root can open. One that is there already is kept, with what it holds. */
export function makeFifo(path: string): void {
  try {
    check(libc.mkfifoat(AT_FDCWD, cString(path), 0o600), `make FIFO "${path}"`);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** Takes bytes that are only valid during the call. Returning false pauses the reader until resume(). */
export type FifoSink = (chunk: Buffer) => boolean;

/**
 * The reading end of a FIFO on the event loop. Opening never waits for a writer; reading begins with start(), which
 * must come after the writer has opened its end, for a FIFO nobody writes to reads as ended.
 */
export class FifoReader implements Disposable {
  #fd: number;
  #socket: Socket | undefined;
  readonly #ended = Promise.withResolvers<void>();

  /** Resolves, never rejects, when every writer has closed and all bytes were handed over, or after disposal. */
  readonly ended: Promise<void> = this.#ended.promise;

  /** @throws SystemError when the path is no FIFO or is missing */
  constructor(path: string, options: { readonly alsoWriter?: boolean } = {}) {
    // As a writer of its own, a reader never sees an end: for pipes whose writers come and go.
    const access = options.alsoWriter === true ? constants.O_RDWR : constants.O_RDONLY;
    this.#fd = openFifo(path, access | constants.O_NONBLOCK);
  }

  /** Begins to hand the FIFO's bytes to the sink. */
  start(sink: FifoSink): void {
    if (this.#fd < 0 || this.#socket !== undefined) return;
    if (!this.#readOnce(sink)) {
      this[Symbol.dispose]();
      return;
    }
    const socket = new Socket({
      fd: this.#fd,
      readable: true,
      writable: false,
      onread: { buffer: readBuffer, callback: (bytes) => sink(readBuffer.subarray(0, bytes)) },
    });
    this.#fd = -1;
    this.#socket = socket;
    // A FIFO's read fails for no reason that a caller could act on; what was read stands.
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#ended.resolve());
  }

  resume(): void {
    this.#socket?.resume();
  }

  /**
   * The kernel announces no end on a FIFO that had no writer since it was opened, as after a restart when the container
   * has gone; only a read tells.
   * @returns whether there is, or was a moment ago, somebody to read from
   */
  #readOnce(sink: FifoSink): boolean {
    try {
      const bytes = readSync(this.#fd, readBuffer);
      // A sink that asks for a pause gets one more chunk; that is what bounds it.
      if (bytes > 0) sink(readBuffer.subarray(0, bytes));
      return bytes > 0;
    } catch (error) {
      return errnoOf(error) === "EAGAIN";
    }
  }

  /** Closes the reading end; what it still holds is dropped unless another reader has it open. */
  [Symbol.dispose](): void {
    if (this.#socket !== undefined) this.#socket.destroy();
    else if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
    this.#ended.resolve();
  }
}

/**
 * The writing end of a FIFO as a stream.
 * @throws SystemError with errno ENXIO while nobody reads it
 */
export function openFifoWriter(path: string): Socket {
  const fd = openFifo(path, constants.O_WRONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: false, writable: true });
}

function openFifo(path: string, flags: number): number {
  let fd: number;
  try {
    fd = openSync(path, flags | constants.O_NOFOLLOW);
  } catch (cause) {
    const errno = errnoOf(cause);
    throw new SystemError(`open FIFO "${path}": ${errno}`, errno === undefined ? { cause } : { errno, cause });
  }
  if (fstatSync(fd).isFIFO()) return fd;
  closeSync(fd);
  throw new SystemError(`open FIFO "${path}": it is another kind of file`);
}

/**
 * The kubelet's container log format: `<RFC 3339 time> <stdout|stderr> <P|F> <content>\n`. A line longer than
 * {@link maxContentBytes} becomes P records and a last F; what has no newline when the stream ends is a P.
 */
export type LogStream = "stdout" | "stderr";

/** containerd's default; readers have buffers of that size. */
export const maxContentBytes = 16 << 10;

const newline = 0x0a;
const carriageReturn = 0x0d;
const noBytes = Buffer.alloc(0);

/** Cuts one stream of a container into log records, wherever the reads happen to split it. */
export class CriLogEncoder {
  readonly #stream: LogStream;
  /** The beginning of a line whose end was not read yet. */
  #pending = noBytes;
  #pendingBytes = 0;
  #out = noBytes;
  #outBytes = 0;
  #partialHead = noBytes;
  #fullHead = noBytes;

  constructor(stream: LogStream) {
    this.#stream = stream;
  }

  /**
   * @param time what {@link criTime} makes; all records of the chunk carry it
   * @returns the records that the chunk completes, in a buffer of their own
   */
  push(chunk: Buffer, time: string): Buffer {
    this.#begin(time, chunk.length);
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, from)) {
      if (this.#pendingBytes === 0 && at - from <= maxContentBytes) {
        const end = at > from && chunk[at - 1] === carriageReturn ? at - 1 : at;
        this.#emit(this.#fullHead, chunk, from, end);
      } else {
        this.#hold(chunk, from, at);
        this.#finishLine();
      }
      from = at + 1;
    }
    if (from < chunk.length) this.#hold(chunk, from, chunk.length);
    return this.#take();
  }

  /** The stream has ended. @returns the record of a line that was not ended, or nothing */
  end(time: string): Buffer {
    if (this.#pendingBytes === 0) return noBytes;
    this.#begin(time, this.#pendingBytes);
    this.#emit(this.#partialHead, this.#pending, 0, this.#pendingBytes);
    this.#pendingBytes = 0;
    return this.#take();
  }

  #begin(time: string, bytes: number): void {
    this.#partialHead = Buffer.from(`${time} ${this.#stream} P `);
    this.#fullHead = Buffer.from(`${time} ${this.#stream} F `);
    this.#out = Buffer.allocUnsafe(bytes + (bytes >> 1) + 256);
    this.#outBytes = 0;
  }

  #take(): Buffer {
    const records = this.#out.subarray(0, this.#outBytes);
    this.#out = noBytes;
    return records;
  }

  /** Keeps the line's bytes; those that can't be its last record's become P records. */
  #hold(chunk: Buffer, from: number, to: number): void {
    let at = from;
    while (this.#pendingBytes + (to - at) > maxContentBytes) {
      const cut = at + maxContentBytes - this.#pendingBytes;
      if (this.#pendingBytes === 0) {
        this.#emit(this.#partialHead, chunk, at, cut);
      } else {
        this.#append(chunk, at, cut);
        this.#emit(this.#partialHead, this.#pending, 0, this.#pendingBytes);
        this.#pendingBytes = 0;
      }
      at = cut;
    }
    this.#append(chunk, at, to);
  }

  #finishLine(): void {
    const last = this.#pendingBytes - 1;
    const end = last >= 0 && this.#pending[last] === carriageReturn ? last : last + 1;
    this.#emit(this.#fullHead, this.#pending, 0, end);
    this.#pendingBytes = 0;
  }

  #append(chunk: Buffer, from: number, to: number): void {
    const bytes = this.#pendingBytes + (to - from);
    if (bytes > this.#pending.length) {
      // Doubled, so that a line written byte by byte is not copied for each of them.
      const larger = Buffer.allocUnsafeSlow(Math.min(maxContentBytes, Math.max(bytes, this.#pending.length * 2, 256)));
      this.#pending.copy(larger, 0, 0, this.#pendingBytes);
      this.#pending = larger;
    }
    chunk.copy(this.#pending, this.#pendingBytes, from, to);
    this.#pendingBytes = bytes;
  }

  #emit(head: Buffer, content: Buffer, from: number, to: number): void {
    const bytes = this.#outBytes + head.length + (to - from) + 1;
    if (bytes > this.#out.length) {
      const larger = Buffer.allocUnsafe(Math.max(bytes, this.#out.length * 2));
      this.#out.copy(larger, 0, 0, this.#outBytes);
      this.#out = larger;
    }
    this.#out.set(head, this.#outBytes);
    content.copy(this.#out, this.#outBytes + head.length, from, to);
    this.#out[bytes - 1] = newline;
    this.#outBytes = bytes;
  }
}

/** One line of a log file. */
export interface LogRecord {
  readonly time: string;
  readonly stream: LogStream;
  /** The line goes on in the stream's next record. */
  readonly partial: boolean;
  readonly content: Buffer;
}

/** @param line without its newline @returns undefined when it is no record, such as one cut off by a full disk */
export function parseLogRecord(line: Buffer): LogRecord | undefined {
  const head = /^(\S+) (stdout|stderr) ([PF])(?::\S*)? /.exec(line.subarray(0, 128).toString("latin1"));
  if (head === null) return undefined;
  const [whole, time = "", stream, tag] = head;
  const content = line.subarray(whole.length);
  return { time, stream: stream === "stderr" ? "stderr" : "stdout", partial: tag === "P", content };
}

/**
 * RFC 3339 with nanoseconds in UTC, as all log readers parse it.
 * @param nowMs milliseconds since the epoch, with a fraction
 */
export function criTime(nowMs: number): string {
  const wholeMs = Math.floor(nowMs);
  const nanos = Math.min(999_999, Math.floor((nowMs - wholeMs) * 1e6));
  return `${new Date(wholeMs).toISOString().slice(0, -1)}${String(nanos).padStart(6, "0")}Z`;
}

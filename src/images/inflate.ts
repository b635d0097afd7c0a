import { constants, createGunzip, createZstdDecompress, type Gunzip, type ZstdDecompress } from "node:zlib";
import { type AgentError, errnoOf } from "../common/errors.ts";
import { isIsalUsable } from "../system/isal.ts";
import { ByteQueue } from "./byte-queue.ts";
import { IsalGunzip } from "./isal-gunzip.ts";
import { checkMagic, type LayerCompression, magicBytes } from "./layer-compression.ts";
import { damagedLayer, oversizedLayer } from "./layer-error.ts";

/** One trip to the thread pool takes this much in and gives this much out; below, the trips dominate (measured). */
const inputBytes = 512 * 1024;
const outputBytes = 1024 * 1024;
/** How much may wait on either side; with what zlib works on, the memory of one layer. */
const queuedBytes = 4 * 1024 * 1024;
/** 128 MiB: what zstd's own tool needs `--long=27` for, and what others accept at most. */
const windowLogMax = 27;

type Decoder = Gunzip | IsalGunzip | ZstdDecompress;

/**
 * Decompresses a blob pushed to it piece by piece, with the decoder's work in the thread pool while this thread
 * hashes and writes what came before.
 *
 * Node issues the next piece of work only when the "data" listener has returned. So the listener only queues: a consumer
 * in the listener would take turns with the decoder instead of running beside it.
 */
export class Inflater {
  readonly #compression: LayerCompression;
  readonly #usesIsal: boolean;
  readonly #output = new ByteQueue(
    queuedBytes,
    () => this.#resume(),
    (chunk) => this.#decoder instanceof IsalGunzip && this.#decoder.recycle(chunk),
  );
  #decoder: Decoder | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #busy = false;
  #ended = false;
  #padding = false;
  #sawMagic = false;
  #held = false;
  #failed = false;
  #onRoom: (() => void) | undefined;

  /** @param usesIsal for gzip, ISA-L instead of zlib; default: where it is installed */
  constructor(compression: LayerCompression, usesIsal = isIsalUsable()) {
    this.#compression = compression;
    this.#usesIsal = usesIsal;
  }

  /** The decompressed bytes, each piece valid until the next is asked for. Read to the end or {@link fail}. */
  output(): AsyncGenerator<Buffer, void, undefined> {
    return this.#output.read();
  }

  /** Takes a piece of the blob; resolves when the next may come. After a failure it takes pieces and drops them. */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#failed) return;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.byteLength;
    this.#pump();
    while (this.#waitingBytes > queuedBytes) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
  }

  /** The blob is complete. */
  end(): void {
    this.#ended = true;
    this.#pump();
  }

  /** Ends the output with an error and drops what waits. */
  fail(error: unknown): void {
    this.#failed = true;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#ended = true;
    this.#decoder?.destroy();
    this.#output.close(error);
    this.#roomForMore();
  }

  #pump(): void {
    if (this.#busy || this.#held || this.#failed) return;
    if (!this.#sawMagic && (this.#waitingBytes >= magicBytes || this.#ended)) {
      const start = Buffer.concat(this.#waiting);
      this.#waiting = [start];
      this.#sawMagic = true;
      try {
        checkMagic(this.#compression, start);
      } catch (error) {
        this.fail(error);
        return;
      }
    }
    if (!this.#sawMagic) return;
    if (this.#waitingBytes > 0) this.#feed(this.#take());
    else if (this.#ended) this.#finish();
  }

  /** Joins what waits up to one trip's input. */
  #take(): Buffer {
    const taken: Uint8Array[] = [];
    let bytes = 0;
    for (let next = this.#waiting[0]; next !== undefined && bytes < inputBytes; next = this.#waiting[0]) {
      taken.push(next);
      bytes += next.byteLength;
      this.#waiting.shift();
    }
    this.#waitingBytes -= bytes;
    const [only] = taken;
    return taken.length === 1 && only !== undefined
      ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
      : Buffer.concat(taken, bytes);
  }

  #feed(input: Buffer): void {
    if (this.#compression === "none") {
      this.#held = !this.#output.push(input);
      this.#roomForMore();
      this.#pump();
    } else if (this.#padding) this.#skipPadding(input);
    else this.#decode(input);
  }

  #decode(input: Buffer): void {
    this.#busy = true;
    const decoder = this.#decoder ?? this.#createDecoder();
    this.#decoder = decoder;
    const consumedBefore = decoder.bytesWritten;
    // A decoder that stops before the input's end has met the end of its last frame. Whether it then calls the write's
    // callback as well depends on when it is destroyed.
    let over = false;
    const atEnd = () => {
      over = true;
      this.#nextFrame(input.subarray(decoder.bytesWritten - consumedBefore));
    };
    decoder.once("end", atEnd);
    decoder.write(input, (error) => {
      // Of a failure the decoder tells by an event as well.
      if (over || error instanceof Error) return;
      decoder.off("end", atEnd);
      this.#busy = false;
      this.#roomForMore();
      this.#pump();
    });
  }

  #createDecoder(): Decoder {
    const decoder = this.#compression === "gzip" ? this.#createGunzip() : createZstd();
    decoder.on("data", (chunk: Buffer) => {
      if (this.#output.push(chunk)) return;
      this.#held = true;
      decoder.pause();
    });
    decoder.on("error", (error) => this.fail(this.#fault(error)));
    return decoder;
  }

  #createGunzip(): Gunzip | IsalGunzip {
    return this.#usesIsal ? new IsalGunzip({ chunkSize: outputBytes }) : createGunzip({ chunkSize: outputBytes });
  }

  #fault(error: Error): AgentError {
    // Whole and rightly named, but made to fill the node's memory.
    if (errnoOf(error) === "ZSTD_error_frameParameter_windowTooLarge") {
      return oversizedLayer(`its zstd data needs a window of more than ${2 ** windowLogMax} bytes`);
    }
    return damagedLayer(`its ${this.#compression} data is damaged`, { cause: error });
  }

  /**
   * Goes on behind a decoder's last frame. Node's gunzip reads on over several members by itself and stops at zeros;
   * its zstd decoder stops at every frame end that falls within one write.
   */
  #nextFrame(rest: Buffer): void {
    this.#decoder = undefined;
    this.#busy = false;
    this.#padding = this.#compression === "gzip";
    if (rest.length > 0) {
      this.#waiting.unshift(rest);
      this.#waitingBytes += rest.length;
    }
    this.#pump();
  }

  #skipPadding(input: Buffer): void {
    if (input.some((byte) => byte !== 0)) {
      this.fail(damagedLayer(`bytes follow the end of its ${this.#compression} data`));
      return;
    }
    this.#roomForMore();
    this.#pump();
  }

  #finish(): void {
    if (this.#decoder === undefined) {
      this.#output.close();
      return;
    }
    this.#busy = true;
    // An unfinished member or frame is reported as an error by the decoder itself.
    this.#decoder.once("end", () => this.#output.close());
    this.#decoder.end();
  }

  #resume(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#decoder?.resume();
    this.#pump();
  }

  #roomForMore(): void {
    if (this.#waitingBytes > queuedBytes) return;
    this.#onRoom?.();
    this.#onRoom = undefined;
  }
}

function createZstd(): ZstdDecompress {
  return createZstdDecompress({
    chunkSize: outputBytes,
    params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
  });
}

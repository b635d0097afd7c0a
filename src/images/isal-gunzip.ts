import { Duplex } from "node:stream";
import { type InflateStep, IsalInflate } from "../system/isal.ts";
import { GzipHeader } from "./gzip-header.ts";

const trailerBytes = 8;
/** Bytes of a member that are decoded without the thread pool. */
const freshBytes = 4096;
const spareBuffers = 4;

/** Where in the blob the next byte belongs. */
type Section =
  | { readonly kind: "header"; readonly header: GzipHeader }
  | { readonly kind: "deflate" }
  | { readonly kind: "trailer"; readonly held: number[] }
  /** Behind a member: another one, zeros, or the end. */
  | { readonly kind: "between" }
  | { readonly kind: "padding" };

/**
 * Decompresses gzip by ISA-L in the thread pool, with the verdicts of Node's own gunzip: members follow one another, zeros may
 * follow the last. One difference is left: zlib refuses Huffman codes that do not use all of their code space, ISA-L takes
 * them. No compressor writes such, and the digests of blob and tar hold for both.
 */
export class IsalGunzip extends Duplex {
  readonly #inflate = new IsalInflate();
  readonly #chunkBytes: number;
  /** How many pieces of each buffer are outside. */
  readonly #lent = new Map<ArrayBufferLike, number>();
  readonly #spare: Buffer[] = [];
  #output: Buffer;
  #outputStart = 0;
  #outputEnd = 0;
  #section: Section = { kind: "header", header: new GzipHeader() };
  #isFresh = false;
  #onDemand: (() => void) | undefined;

  /** Bytes taken in so far. */
  bytesWritten = 0;

  /** @param options.chunkSize bytes given out at a time, at most */
  constructor({ chunkSize }: { readonly chunkSize: number }) {
    super({ readableHighWaterMark: chunkSize });
    this.#chunkBytes = chunkSize;
    this.#output = Buffer.allocUnsafeSlow(chunkSize);
  }

  /**
   * Takes back a piece that was given out, whole and for good: memory that was never touched before costs a fifth of the
   * whole work (measured).
   */
  recycle(piece: Buffer): void {
    const { buffer } = piece;
    const left = (this.#lent.get(buffer) ?? 0) - 1;
    if (left > 0) this.#lent.set(buffer, left);
    else this.#lent.delete(buffer);
    if (left === 0 && buffer !== this.#output.buffer && this.#spare.length < spareBuffers) {
      this.#spare.push(Buffer.from(buffer, 0, this.#chunkBytes));
    }
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#take(chunk).then(
      () => done(),
      (error: Error) => done(error),
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    const { kind } = this.#section;
    if (kind !== "between" && kind !== "padding") {
      done(new Error("unexpected end of file"));
      return;
    }
    this.push(null);
    done();
  }

  override _read(): void {
    this.#onDemand?.();
    this.#onDemand = undefined;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    // Whoever waits for a reader would wait for ever.
    this._read();
    done(error);
  }

  async #take(chunk: Buffer): Promise<void> {
    let rest = chunk;
    while (rest.length > 0 && !this.destroyed) rest = await this.#advance(rest);
    await this.#flush();
    this.bytesWritten += chunk.length;
  }

  /** Takes what belongs to the section at hand. @returns what follows */
  async #advance(bytes: Buffer): Promise<Buffer> {
    const section = this.#section;
    switch (section.kind) {
      case "header": {
        const taken = section.header.push(bytes);
        if (section.header.done) {
          this.#inflate.begin();
          this.#isFresh = true;
          this.#section = { kind: "deflate" };
        }
        return bytes.subarray(taken);
      }
      case "deflate":
        return await this.#decode(bytes);
      case "trailer": {
        const taken = Math.min(trailerBytes - section.held.length, bytes.length);
        section.held.push(...bytes.subarray(0, taken));
        if (section.held.length === trailerBytes) this.#checkTrailer(Buffer.from(section.held));
        return bytes.subarray(taken);
      }
      case "between":
        this.#section = bytes[0] === 0 ? { kind: "padding" } : { kind: "header", header: new GzipHeader() };
        return bytes;
      case "padding":
        if (bytes.some((byte) => byte !== 0)) throw new Error("bytes follow its end");
        return bytes.subarray(bytes.length);
    }
  }

  async #decode(bytes: Buffer): Promise<Buffer> {
    let taken = 0;
    for (;;) {
      const room = this.#output.subarray(this.#outputEnd);
      const { consumed, produced, ended } = await this.#step(bytes.subarray(taken), room);
      taken += consumed;
      this.#outputEnd += produced;
      if (produced === room.length) await this.#flush();
      if (ended) {
        this.#section = { kind: "trailer", held: [] };
        const held = this.#inflate.takeHeldBytes();
        // Bytes of an earlier piece are the exception: copying for each of a million small members would take for ever.
        if (held.length <= taken) return bytes.subarray(taken - held.length);
        return Buffer.concat([held, bytes.subarray(taken)]);
      }
      if (this.destroyed || (taken === bytes.length && produced < room.length)) return bytes.subarray(bytes.length);
      if (consumed === 0 && produced === 0) throw new Error("the decoder stopped");
    }
  }

  /** A member's first bytes on this thread: for a tiny member the way to the pool would be most of the work. */
  async #step(input: Buffer, output: Buffer): Promise<InflateStep> {
    if (!this.#isFresh) return await this.#inflate.step(input, output);
    this.#isFresh = false;
    return this.#inflate.stepNow(input.subarray(0, freshBytes), output);
  }

  #checkTrailer(trailer: Buffer): void {
    if (trailer.readUInt32LE(0) !== this.#inflate.crc) throw new Error("incorrect data check");
    if (trailer.readUInt32LE(4) !== this.#inflate.totalOut) throw new Error("incorrect length check");
    this.#section = { kind: "between" };
  }

  /** Gives out what has been decoded, and waits until more is wanted. */
  async #flush(): Promise<void> {
    const ready = this.#output.subarray(this.#outputStart, this.#outputEnd);
    this.#outputStart = this.#outputEnd;
    if (this.#outputEnd === this.#output.length) {
      this.#output = this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#chunkBytes);
      this.#outputStart = 0;
      this.#outputEnd = 0;
    }
    if (ready.length === 0 || this.destroyed) return;
    this.#lent.set(ready.buffer, (this.#lent.get(ready.buffer) ?? 0) + 1);
    if (this.push(ready)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onDemand = resolve;
    await promise;
  }
}

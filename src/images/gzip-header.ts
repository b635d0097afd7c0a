import { crc32 } from "node:zlib";

const flagBits = { headerCrc: 0x02, extra: 0x04, name: 0x08, comment: 0x10, reserved: 0xe0 } as const;
const fixedBytes = 10;

type Part = "fixed" | "extra-length" | "extra" | "name" | "comment" | "crc" | "done";

/**
 * Reads the header of a gzip member (RFC 1952, 2.3) pushed to it piece by piece, by the rules of zlib. Names and comments
 * are skipped, however long they are.
 */
export class GzipHeader {
  #part: Part = "fixed";
  #flags = 0;
  #crc = 0;
  /** The first bytes of a part of fixed length. */
  readonly #held: number[] = [];
  #extraBytes = 0;

  get done(): boolean {
    return this.#part === "done";
  }

  /** @returns how many of the bytes belong to the header. @throws Error saying what is wrong */
  push(bytes: Uint8Array): number {
    let at = 0;
    while (at < bytes.length && !this.done) at = this.#take(bytes, at);
    return at;
  }

  #take(bytes: Uint8Array, at: number): number {
    switch (this.#part) {
      case "extra": {
        const end = Math.min(bytes.length, at + this.#extraBytes);
        this.#extraBytes -= end - at;
        this.#count(bytes.subarray(at, end));
        if (this.#extraBytes === 0) this.#goOn("extra");
        return end;
      }
      case "name":
      case "comment": {
        const zero = bytes.indexOf(0, at);
        const end = zero === -1 ? bytes.length : zero + 1;
        this.#count(bytes.subarray(at, end));
        if (zero !== -1) this.#goOn(this.#part);
        return end;
      }
      default:
        this.#hold(bytes[at] ?? 0);
        return at + 1;
    }
  }

  #hold(byte: number): void {
    this.#held.push(byte);
    const [first = 0, second = 0, method = 0, flags = 0] = this.#held;
    if (this.#part === "fixed") {
      if (this.#held.length < fixedBytes) return;
      if (first !== 0x1f || second !== 0x8b) throw new Error("incorrect header check");
      if (method !== 8) throw new Error("unknown compression method");
      if ((flags & flagBits.reserved) !== 0) throw new Error("unknown header flags set");
      this.#flags = flags;
    } else if (this.#held.length < 2) return;
    const value = first | (second << 8);
    if (this.#part === "crc" && value !== (this.#crc & 0xffff)) throw new Error("header crc mismatch");
    if (this.#part === "extra-length") this.#extraBytes = value;
    this.#count(Uint8Array.from(this.#held));
    this.#held.length = 0;
    if (this.#part === "extra-length" && value > 0) this.#part = "extra";
    else this.#goOn(this.#part);
  }

  /** To the next part that the flags announce. */
  #goOn(from: Part): void {
    const order: readonly (readonly [Part, number])[] = [
      ["extra-length", flagBits.extra],
      ["name", flagBits.name],
      ["comment", flagBits.comment],
      ["crc", flagBits.headerCrc],
    ];
    const place =
      from === "fixed" ? -1 : order.findIndex(([part]) => part === (from === "extra" ? "extra-length" : from));
    const next = order.slice(place + 1).find(([, flag]) => (this.#flags & flag) !== 0);
    this.#part = next?.[0] ?? "done";
  }

  #count(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
  }
}

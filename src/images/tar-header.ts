import type { BytePath } from "../system/byte-path.ts";
import { invalidLayer } from "./layer-error.ts";

/** One 512-byte header block as it stands, before PAX and GNU extensions change it. */
export interface TarHeader {
  readonly path: BytePath;
  readonly linkPath: BytePath;
  /** The type flag's character; "\0" in archives older than POSIX. */
  readonly typeFlag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

export const blockBytes = 512;

/**
 * Reads the header block at an offset: USTAR (POSIX.1-1988), GNU, star and V7, told apart by their magic.
 * @returns undefined for a block of zeros, two of which end an archive
 * @throws AgentError InvalidArgument
 */
export function parseTarHeader(buffer: Buffer, offset: number): TarHeader | undefined {
  const sum = checksum(buffer, offset);
  if (sum.unsigned === 256 && isZero(buffer, offset)) return undefined;
  const told = octal(buffer, offset + 148, 8, "checksum");
  // Old writers summed signed characters.
  if (told !== sum.unsigned && told !== sum.signed) {
    throw invalidLayer(`a tar header's checksum is ${told}: must be ${sum.unsigned}`);
  }
  const magic = buffer.toString("latin1", offset + 257, offset + 265);
  const isUstar = magic.startsWith("ustar\0");
  const isGnu = magic === "ustar  \0";
  const isStar = isUstar && buffer.toString("latin1", offset + 508, offset + 512) === "tar\0";
  const prefix = isUstar ? text(buffer, offset + 345, isStar ? 131 : 155) : "";
  const name = text(buffer, offset, 100);
  return {
    path: prefix === "" ? name : `${prefix}/${name}`,
    linkPath: text(buffer, offset + 157, 100),
    typeFlag: String.fromCharCode(buffer[offset + 156] ?? 0),
    mode: numeric(buffer, offset + 100, 8, "mode"),
    uid: numeric(buffer, offset + 108, 8, "uid"),
    gid: numeric(buffer, offset + 116, 8, "gid"),
    sizeBytes: numeric(buffer, offset + 124, 12, "size"),
    mtimeSeconds: numeric(buffer, offset + 136, 12, "mtime", true),
    deviceMajor: isUstar || isGnu ? numeric(buffer, offset + 329, 8, "device major") : 0,
    deviceMinor: isUstar || isGnu ? numeric(buffer, offset + 337, 8, "device minor") : 0,
  };
}

/** Sums the block with its checksum field taken as spaces, in both readings of a byte. */
function checksum(buffer: Buffer, offset: number): { readonly unsigned: number; readonly signed: number } {
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let index = 0; index < blockBytes; index++) {
    if (index === 148) index = 156;
    const byte = buffer[offset + index] ?? 0;
    unsigned += byte;
    high += byte >> 7;
  }
  return { unsigned, signed: unsigned - high * 256 };
}

function isZero(buffer: Buffer, offset: number): boolean {
  for (let index = 0; index < blockBytes; index++) if (buffer[offset + index] !== 0) return false;
  return true;
}

/** A field up to its first NUL, or all of it. */
function text(buffer: Buffer, offset: number, length: number): BytePath {
  let end = offset;
  while (end < offset + length && buffer[end] !== 0) end++;
  return buffer.toString("latin1", offset, end);
}

/** A number in octal digits, or (GNU) in base 256 when the first byte's top bit is set. */
function numeric(buffer: Buffer, offset: number, length: number, what: string, maybeNegative = false): number {
  const first = buffer[offset] ?? 0;
  if (first < 0x80) return octal(buffer, offset, length, what);
  const negative = (first & 0x40) !== 0;
  let value = BigInt(negative ? first - 256 : first & 0x7f);
  for (let index = 1; index < length; index++) value = value * 256n + BigInt(buffer[offset + index] ?? 0);
  if (negative && !maybeNegative) throw invalidLayer(`a tar header's ${what} is negative`);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw invalidLayer(`a tar header's ${what} is beyond 2^53`);
  return number;
}

/** Octal digits with spaces before and a space, a NUL or the field's end behind; an empty field is 0. */
function octal(buffer: Buffer, offset: number, length: number, what: string): number {
  let index = offset;
  const end = offset + length;
  while (index < end && buffer[index] === 0x20) index++;
  let value = 0;
  while (index < end) {
    const digit = (buffer[index] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
    index++;
  }
  while (index < end) {
    const byte = buffer[index++];
    if (byte !== 0 && byte !== 0x20) throw invalidLayer(`a tar header's ${what} is no octal number`);
    if (byte === 0) break;
  }
  return value;
}

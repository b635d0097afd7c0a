/** A tar header field by field; what is given is written as it is, whether it is a number or not. */
export interface RawHeader {
  readonly name?: string | Buffer;
  readonly mode?: string | Buffer;
  readonly uid?: string | Buffer;
  readonly gid?: string | Buffer;
  readonly size?: string | Buffer;
  readonly mtime?: string | Buffer;
  /** Default the right one. */
  readonly checksum?: string | Buffer;
  readonly type?: string;
  readonly link?: string | Buffer;
  /** Magic and version. Default POSIX's. */
  readonly magic?: string | Buffer;
  readonly major?: string | Buffer;
  readonly minor?: string | Buffer;
  readonly prefix?: string | Buffer;
}

const blockSize = 512;
const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");

/** The two blocks that end an archive. */
export const endOfArchive = Buffer.alloc(2 * blockSize);

/** One header block. */
export function rawHeader(fields: RawHeader = {}): Buffer {
  const block = Buffer.alloc(blockSize);
  const put = (value: string | Buffer, offset: number, width: number) =>
    Buffer.from(value as string, "latin1").copy(block, offset, 0, width);
  put(fields.name ?? "file", 0, 100);
  put(fields.mode ?? octal(0o644, 7), 100, 8);
  put(fields.uid ?? octal(0, 7), 108, 8);
  put(fields.gid ?? octal(0, 7), 116, 8);
  put(fields.size ?? octal(0, 11), 124, 12);
  put(fields.mtime ?? octal(1_700_000_000, 11), 136, 12);
  put(fields.type ?? "0", 156, 1);
  put(fields.link ?? "", 157, 100);
  put(fields.magic ?? "ustar\x0000", 257, 8);
  put(fields.major ?? octal(0, 7), 329, 8);
  put(fields.minor ?? octal(0, 7), 337, 8);
  put(fields.prefix ?? "", 345, 155);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(fields.checksum ?? `${octal(sum, 6)}\0 `, 148, 8);
  return block;
}

/** A header, its body and the padding behind it; the size is the body's unless the header tells another. */
export function rawEntry(fields: RawHeader, body: string | Uint8Array = ""): Buffer {
  const bytes = Buffer.from(body as Uint8Array);
  const padding = Buffer.alloc((blockSize - (bytes.length % blockSize)) % blockSize);
  return Buffer.concat([rawHeader({ size: octal(bytes.length, 11), ...fields }), bytes, padding]);
}

/** A pax header with these records' bytes as its body. */
export function rawPax(records: string | Buffer, type: "x" | "g" = "x"): Buffer {
  return rawEntry({ name: "pax", type }, Buffer.from(records as string, "latin1"));
}

/** A GNU header that tells the next entry's name ("L") or link target ("K"). */
export function rawLong(type: "L" | "K", text: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(text as string, "latin1"), Buffer.alloc(1)]);
  return rawEntry({ name: "././@LongLink", type, magic: "ustar  \0" }, body);
}

/** "LENGTH key=value\n" with the right length, for {@link rawPax}. */
export function paxLine(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

/** The archive of these parts, with its end. */
export function rawTar(...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([...parts, endOfArchive]);
}

/** A number in base 256, as GNU tar writes what octal can't hold. */
export function base256(value: bigint, width: number): Buffer {
  const bytes = Buffer.alloc(width);
  let rest = BigInt.asUintN(width * 8, value);
  for (let index = width - 1; index >= 0; index--) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = (bytes[0] ?? 0) | 0x80;
  return bytes;
}

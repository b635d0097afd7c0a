import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { spdyDictionary } from "./spdy-dictionary.ts";
import { SpdyError } from "./spdy-error.ts";

/** Header names in lower case, values as they came; a name that came several times has them joined by NUL. */
export type SpdyHeaders = Readonly<Record<string, string>>;

/** zlib looks back this far. */
const windowBytes = 32 << 10;
/** Of one inflated block: ours and those of all Kubernetes clients have less than 1 KiB. */
const mostHeaderBytes = 64 << 10;
const mostHeaders = 100;

/** CMF, FLG with FDICT, and the dictionary's Adler-32 (RFC 1950, section 2.2). */
const zlibHead = Buffer.of(0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2);

/*
 * All header blocks of one direction are one zlib stream, flushed after each block (SPDY draft 3, section 2.6.10.1).
 * Node's zlib streams work in the background, which would let later frames overtake. But what a flushed block needs of
 * those before it is only their text, so each is inflated at once, with that text as its dictionary.
 */

/** The header blocks that came in, in their order. */
export class SpdyHeaderReader {
  #window: Buffer | undefined;

  /** @throws SpdyError when the block is not what SPDY wants, or larger than anybody needs */
  read(block: Buffer): SpdyHeaders {
    let deflated = block;
    if (this.#window === undefined) {
      const { dictionary, length } = parseZlibHead(block);
      this.#window = dictionary;
      deflated = block.subarray(length);
    }
    let text: Buffer;
    try {
      text = inflateRawSync(deflated, {
        ...(this.#window.length === 0 ? {} : { dictionary: this.#window }),
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: mostHeaderBytes,
      });
    } catch (cause) {
      throw new SpdyError("A header block can't be inflated", { cause });
    }
    this.#window = slide(this.#window, text);
    return parseHeaderBlock(text);
  }
}

/** The header blocks that go out, in their order. */
export class SpdyHeaderWriter {
  #window: Buffer | undefined;

  write(headers: SpdyHeaders): Buffer {
    const text = formatHeaderBlock(headers);
    const dictionary = this.#window ?? spdyDictionary;
    const deflated = deflateRawSync(text, { dictionary, finishFlush: constants.Z_SYNC_FLUSH });
    const head = this.#window === undefined ? [zlibHead] : [];
    this.#window = slide(dictionary, text);
    return Buffer.concat([...head, deflated]);
  }
}

/** Pairs of name and value, each after its length. @throws SpdyError */
export function parseHeaderBlock(text: Buffer): SpdyHeaders {
  let at = 0;
  const number = () => {
    if (at + 4 > text.length) throw new SpdyError("A header block ends too early");
    at += 4;
    return text.readUInt32BE(at - 4);
  };
  const string = () => {
    const length = number();
    if (length > text.length - at) throw new SpdyError("A header block ends too early");
    at += length;
    return text.toString("utf8", at - length, at);
  };
  const count = number();
  if (count > mostHeaders) throw new SpdyError(`A header block has ${count} headers: ${mostHeaders} are allowed`);
  const headers = new Map<string, string>();
  for (let index = 0; index < count; index++) {
    const name = string().toLowerCase();
    if (name === "" || headers.has(name)) throw new SpdyError("A header block has an empty or repeated name");
    headers.set(name, string());
  }
  return Object.fromEntries(headers);
}

export function formatHeaderBlock(headers: SpdyHeaders): Buffer {
  const entries = Object.entries(headers);
  const parts = [u32(entries.length)];
  for (const text of entries.flat()) {
    const bytes = Buffer.from(text);
    parts.push(u32(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

function parseZlibHead(block: Buffer): { readonly dictionary: Buffer; readonly length: number } {
  const [method = 0, flags = 0] = block;
  if (block.length < 2 || (method & 0x0f) !== 8 || (method * 256 + flags) % 31 !== 0) {
    throw new SpdyError("The first header block does not begin as zlib does");
  }
  const needsDictionary = (flags & 0x20) !== 0;
  if (!needsDictionary) return { dictionary: Buffer.alloc(0), length: 2 };
  if (!block.subarray(2, 6).equals(zlibHead.subarray(2))) {
    throw new SpdyError("The first header block wants another dictionary than SPDY/3.1's");
  }
  return { dictionary: spdyDictionary, length: 6 };
}

function slide(window: Buffer, text: Buffer): Buffer {
  return Buffer.concat([window, text]).subarray(-windowBytes);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/**
 * The pseudo-header ":authority" within HPACK header blocks (RFC 7541), and no more of HPACK than it takes to find and
 * replace it: nothing else is decoded, and both sides' dynamic tables stay in step.
 */

/** Lengths of the Huffman codes of the octets, in runs; appendix B. Codes of one length are numbered in order. */
const codeLengths = Uint8Array.from(
  [
    "13 23 28*7 24 30 28*2 30 28*8 30 28*9 6 10*2 12 13 6 8 11 10*2 8 11 8 6*3 5*3 6*7 7 8 15 6 12 10 13",
    "6 7*22 8 7 8 13 19 13 14 6 15 5 6 5 6 5 6*3 5 7*2 6*3 5 6 7 6 5*2 6 7*5 15 11 14 13 28 20 22 20*2",
    "22*3 23 22 23*5 24 23 24*2 22 23 24 23*4 21 22 23 22 23*2 24 22 21 20 22*2 23*2 21 23 22*2 24 21 22",
    "23*2 21*2 22 21 23 22 23*2 20 22*3 23 22*2 23 26*2 20 19 22 23 22 25 26*3 27*2 26 24 25 19 21 26",
    "27*2 26 27 24 21*2 26*2 28 27*3 20 24 20 21 22 21*2 23 22*2 25*2 24*2 26 23 26 27 26*2 27*5 28 27*5",
    "26",
  ]
    .join(" ")
    .split(" ")
    .flatMap((run) => {
      const [length = "", count = "1"] = run.split("*");
      return Array.from({ length: Number(count) }, () => Number(length));
    }),
);

interface CodesOfLength {
  readonly bits: number;
  readonly first: number;
  readonly octets: readonly number[];
}

/** Canonical codes: each length's codes follow the shorter ones'. */
const codes: readonly CodesOfLength[] = (() => {
  const found: CodesOfLength[] = [];
  let first = 0;
  for (let bits = 1; bits <= 30; bits++) {
    const octets = [...codeLengths.keys()].filter((octet) => codeLengths[octet] === bits);
    if (octets.length > 0) found.push({ bits, first, octets });
    first = (first + octets.length) * 2;
  }
  return found;
})();

/** @returns undefined for what is no Huffman code */
export function decodeHuffman(bytes: Uint8Array): Buffer | undefined {
  const decoded: number[] = [];
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      length++;
      const group = codes.find(({ bits }) => bits === length);
      const octet = group?.octets[code - group.first];
      if (octet !== undefined && group !== undefined && code >= group.first) {
        decoded.push(octet);
        code = 0;
        length = 0;
      } else if (length > 30) return undefined;
    }
  }
  // Padding is less than an octet of ones.
  return length < 8 && code === 2 ** length - 1 ? Buffer.from(decoded) : undefined;
}

interface Field {
  /** Index of the name in the tables; 0: the name is written out. */
  readonly nameIndex: number;
  /** Where the value's string begins and ends, its length prefix included. */
  readonly valueStart: number;
  readonly end: number;
}

const authorityIndex = 1;

/**
 * Puts a text that every server takes in place of an authority that is none, such as the socket's path, which clients
 * built on old versions of gRPC for Go send. The text is as long as what it replaces, for the tables count lengths.
 * @param block a whole header block
 * @returns the block itself when nothing in it needs mending, or it can't be read
 */
export function mendAuthority(block: Buffer): Buffer {
  const parts: Buffer[] = [];
  let copied = 0;
  for (let at = 0; at < block.length; ) {
    const field = readField(block, at);
    if (field === undefined) return block;
    if (field.nameIndex === authorityIndex && field.valueStart < field.end) {
      const value = readString(block, field.valueStart);
      if (value !== undefined && !isAuthority(value)) {
        parts.push(
          block.subarray(copied, field.valueStart),
          writeString("localhost".padEnd(value.length, "0").slice(0, value.length)),
        );
        copied = field.end;
      }
    }
    at = field.end;
  }
  return parts.length === 0 ? block : Buffer.concat([...parts, block.subarray(copied)]);
}

/** What nghttp2 lets pass as host and port: RFC 3986 without the path's and query's own characters. */
function isAuthority(value: Buffer): boolean {
  return /^[A-Za-z0-9!$&'()*+,;=\-._~%:@[\]]+$/.test(value.toString("latin1"));
}

function readField(block: Buffer, at: number): Field | undefined {
  const octet = block[at] ?? 0;
  if (octet & 0x80) return atEnd(readInteger(block, at, 7)?.end);
  if ((octet & 0xe0) === 0x20) return atEnd(readInteger(block, at, 5)?.end);
  // With incremental indexing the name's index has six bits, in the two other literal forms four.
  const name = readInteger(block, at, octet & 0x40 ? 6 : 4);
  if (name === undefined) return undefined;
  const valueStart = name.value === 0 ? endOfString(block, name.end) : name.end;
  const end = valueStart === undefined ? undefined : endOfString(block, valueStart);
  return valueStart === undefined || end === undefined ? undefined : { nameIndex: name.value, valueStart, end };
}

function atEnd(end: number | undefined): Field | undefined {
  return end === undefined ? undefined : { nameIndex: 0, valueStart: end, end };
}

/** Section 5.1. */
function readInteger(block: Buffer, at: number, prefixBits: number): { value: number; end: number } | undefined {
  const limit = 2 ** prefixBits - 1;
  let value = (block[at] ?? 0) & limit;
  if (value < limit) return { value, end: at + 1 };
  for (let next = at + 1, factor = 1; next < block.length && next < at + 6; next++, factor *= 128) {
    const octet = block[next] ?? 0;
    value += (octet & 0x7f) * factor;
    if ((octet & 0x80) === 0) return { value, end: next + 1 };
  }
  return undefined;
}

function endOfString(block: Buffer, at: number): number | undefined {
  if (at >= block.length) return undefined;
  const length = readInteger(block, at, 7);
  const end = length === undefined ? undefined : length.end + length.value;
  return end !== undefined && end <= block.length ? end : undefined;
}

/** Section 5.2. */
function readString(block: Buffer, at: number): Buffer | undefined {
  const length = readInteger(block, at, 7);
  if (length === undefined) return undefined;
  const bytes = block.subarray(length.end, length.end + length.value);
  return (block[at] ?? 0) & 0x80 ? decodeHuffman(bytes) : bytes;
}

/** Without Huffman coding. */
function writeString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const prefix: number[] = [Math.min(bytes.length, 127)];
  for (let rest = bytes.length - 127; bytes.length >= 127; rest = Math.floor(rest / 128)) {
    prefix.push(rest >= 128 ? (rest % 128) | 0x80 : rest);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from(prefix), bytes]);
}

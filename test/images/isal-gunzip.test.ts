import { crc32, deflateRawSync, constants as zlib } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AgentError } from "../../src/common/errors.ts";
import { Inflater } from "../../src/images/inflate.ts";
import { isIsalUsable } from "../../src/system/isal.ts";

const maybe = isIsalUsable() || process.env["CI"] ? describe : describe.skip;

/** What a blob inflates to, or the error. The reader falls behind now and then. */
async function inflate(blob: Buffer, usesIsal: boolean, pieceBytes: number): Promise<Buffer | AgentError> {
  const inflater = new Inflater("gzip", usesIsal);
  const pieces: Buffer[] = [];
  const reading = (async () => {
    for await (const piece of inflater.output()) {
      pieces.push(Buffer.from(piece));
      if (pieces.length % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  reading.catch(() => undefined);
  for (let at = 0; at < blob.length; at += pieceBytes) await inflater.write(blob.subarray(at, at + pieceBytes));
  inflater.end();
  try {
    await reading;
    return Buffer.concat(pieces);
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
}

/** Bytes or a code: what a layer's fate depends on. */
async function verdict(blob: Buffer, usesIsal: boolean, pieceBytes: number): Promise<string> {
  const result = await inflate(blob, usesIsal, pieceBytes);
  return result instanceof AgentError ? result.code : `${result.length} bytes, ${crc32(result)}`;
}

interface Member {
  readonly body: Buffer;
  readonly level: number;
  readonly strategy: number;
  readonly extra: Uint8Array | undefined;
  readonly name: string | undefined;
  readonly comment: string | undefined;
  readonly headerCrc: boolean;
}

const plain: Member = {
  body: Buffer.from("hello"),
  level: 6,
  strategy: 0,
  extra: undefined,
  name: undefined,
  comment: undefined,
  headerCrc: false,
};

function header({ extra, name, comment, headerCrc }: Omit<Member, "body" | "level" | "strategy">): Buffer {
  const flags =
    (headerCrc ? 2 : 0) |
    (extra === undefined ? 0 : 4) |
    (name === undefined ? 0 : 8) |
    (comment === undefined ? 0 : 16);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(extra?.length ?? 0);
  const parts = [
    Buffer.of(0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3),
    ...(extra === undefined ? [] : [length, extra]),
    ...(name === undefined ? [] : [Buffer.from(`${name}\0`)]),
    ...(comment === undefined ? [] : [Buffer.from(`${comment}\0`)]),
  ];
  const crc = Buffer.alloc(2);
  crc.writeUInt16LE(crc32(Buffer.concat(parts)) & 0xffff);
  return Buffer.concat([...parts, ...(headerCrc ? [crc] : [])]);
}

function trailer(body: Buffer): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(crc32(body));
  bytes.writeUInt32LE(body.length, 4);
  return bytes;
}

function gzip(member: Member): Buffer {
  const { body, level, strategy } = member;
  return Buffer.concat([header(member), deflateRawSync(body, { level, strategy }), trailer(body)]);
}

const aBody = fc.oneof(
  fc.uint8Array({ maxLength: 2_000 }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(60_000))
    .map(([unit, length]) => Buffer.alloc(length, Buffer.from(unit))),
  fc.array(fc.nat(7), { maxLength: 3_000 }).map((letters) => Buffer.from(letters)),
);
const text = fc.string({ maxLength: 40 }).map((made) => made.replaceAll("\0", ""));
const aMember: fc.Arbitrary<Member> = fc.record({
  body: aBody.map((bytes) => Buffer.from(bytes)),
  level: fc.integer({ min: 0, max: 9 }),
  strategy: fc.constantFrom(zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED),
  extra: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined }),
  name: fc.option(text, { nil: undefined }),
  comment: fc.option(text, { nil: undefined }),
  headerCrc: fc.boolean(),
});
const aBlob = fc
  .tuple(
    fc.array(aMember, { minLength: 1, maxLength: 4 }),
    fc.oneof(
      fc.constant(Buffer.alloc(0)),
      fc.nat(600).map((length) => Buffer.alloc(length)),
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    ),
  )
  .map(([members, tail]): Buffer => Buffer.concat([...members.map(gzip), tail]));
const pieceSizes = fc.constantFrom(1, 7, 511, 4_096, 1_000_000);

/** A flipped bit, a cut, bytes taken out or put in. */
const aDamage = fc.tuple(fc.constantFrom("flip", "cut", "drop", "insert"), fc.nat(), fc.nat(255));

function damage(blob: Buffer, [kind, place, value]: readonly [string, number, number]): Buffer {
  const at = place % blob.length;
  if (kind === "cut") return blob.subarray(0, at);
  if (kind === "drop") return Buffer.concat([blob.subarray(0, at), blob.subarray(at + 1 + (value % 5))]);
  if (kind === "insert") return Buffer.concat([blob.subarray(0, at), Buffer.of(value), blob.subarray(at)]);
  const copy = Buffer.from(blob);
  copy[at] = (copy[at] ?? 0) ^ (1 << (value % 8));
  return copy;
}

maybe("gzip by ISA-L", () => {
  test("whole blobs of one or many members inflate as by zlib, whatever pieces they come in", async () => {
    await fc.assert(
      fc.asyncProperty(aBlob, pieceSizes, async (blob, pieceBytes) => {
        expect(await verdict(blob, true, pieceBytes)).toBe(await verdict(blob, false, pieceBytes));
      }),
      { numRuns: 300 },
    );
  });

  test("damaged blobs get the verdict they get from zlib", async () => {
    await fc.assert(
      fc.asyncProperty(
        aBlob,
        fc.array(aDamage, { minLength: 1, maxLength: 3 }),
        pieceSizes,
        async (blob, damages, pieceBytes) => {
          const damaged = damages.reduce<Buffer>((now, one) => (now.length === 0 ? now : damage(now, one)), blob);
          expect(await verdict(damaged, true, pieceBytes)).toBe(await verdict(damaged, false, pieceBytes));
        },
      ),
      { numRuns: 1_500 },
    );
  }, 60_000);

  const whole = gzip(plain);
  const withTrailer = (bytes: Buffer) => Buffer.concat([whole.subarray(0, -8), bytes]);
  const withHeader = (change: (bytes: Buffer) => void, member = plain) => {
    const bytes = gzip(member);
    change(bytes);
    return bytes;
  };
  const zeros = (length: number) => Buffer.alloc(length);
  test.each<[string, Buffer, boolean]>([
    ["a member", whole, true],
    ["an empty member", gzip({ ...plain, body: zeros(0) }), true],
    ["two members", Buffer.concat([whole, whole]), true],
    ["fifty thousand tiny members", Buffer.concat(Array.from({ length: 50_000 }, () => whole)), true],
    ["zeros behind it", Buffer.concat([whole, zeros(700_000)]), true],
    ["a member behind zeros", Buffer.concat([whole, zeros(3), whole]), false],
    ["one byte behind it", Buffer.concat([whole, Buffer.of(1)]), false],
    ["half a magic behind it", Buffer.concat([whole, Buffer.of(0x1f)]), false],
    ["half a trailer", whole.subarray(0, -4), false],
    ["no trailer", whole.subarray(0, -8), false],
    ["a wrong checksum", withTrailer(trailer(Buffer.from("jello"))), false],
    ["a wrong length", withTrailer(Buffer.concat([trailer(plain.body).subarray(0, 4), Buffer.of(6, 0, 0, 0)])), false],
    ["another method", withHeader((bytes) => bytes.writeUInt8(7, 2)), false],
    ["a reserved flag", withHeader((bytes) => bytes.writeUInt8(0x80, 3)), false],
    ["a checksum of the header", gzip({ ...plain, headerCrc: true, name: "a.tar" }), true],
    [
      "a wrong checksum of the header",
      withHeader((bytes) => bytes.writeUInt8(9, 4), { ...plain, headerCrc: true, name: "a.tar" }),
      false,
    ],
    [
      "a name that never ends",
      Buffer.concat([header({ ...plain, name: "x" }).subarray(0, -1), Buffer.alloc(900_000, "x")]),
      false,
    ],
    ["a long name", gzip({ ...plain, name: "n".repeat(900_000) }), true],
    ["a header alone", header(plain), false],
  ])("%s has the same verdict", async (_name, blob, isGood) => {
    for (const pieceBytes of blob.length > 10_000 ? [65_536] : [13, 65_536]) {
      const [ours, theirs] = [await verdict(blob, true, pieceBytes), await verdict(blob, false, pieceBytes)];
      expect(ours).toBe(theirs);
      expect(ours !== "DataLoss").toBe(isGood);
    }
  });

  test("codes that leave code space unused are the one thing that ISA-L takes and zlib does not", async () => {
    const deflated = Buffer.from("05c1010900000080a0d7cd8754", "hex");
    const blob = Buffer.concat([header(plain), deflated, trailer(zeros(0))]);
    expect(await verdict(blob, true, 65_536)).toBe("0 bytes, 0");
    expect(await verdict(blob, false, 65_536)).toBe("DataLoss");
  });

  test("a blob that inflates to a thousand times its size waits for its reader", async () => {
    const bomb = gzip({ ...plain, body: Buffer.alloc(400_000_000) });
    const before = process.memoryUsage().arrayBuffers;
    const inflater = new Inflater("gzip", true);
    const output = inflater.output();
    const fed = inflater.write(bomb);
    let read = 0;
    let most = 0;
    inflater.end();
    for await (const piece of output) {
      read += piece.length;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await fed;
    expect(read).toBe(400_000_000);
    expect(most).toBeLessThan(16 * 2 ** 20);
  });

  test("a decoder that is given up ends its reader, also while it works", async () => {
    const blob = gzip({ ...plain, body: Buffer.alloc(50_000_000, "given up") });
    const inflater = new Inflater("gzip", true);
    const reading = (async () => {
      for await (const _piece of inflater.output()) inflater.fail(new AgentError("Cancelled", "enough"));
    })();
    const ended = expect(reading).rejects.toThrow("enough");
    for (let at = 0; at < blob.length; at += 10_000) await inflater.write(blob.subarray(at, at + 10_000));
    inflater.end();
    await ended;
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hasCode } from "../../src/common/errors.ts";
import { type TarEntry as ReadEntry, TarReader } from "../../src/images/tar-reader.ts";
import { type TarEntry, writeTar } from "../support/tar-writer.ts";

type Read = ReadEntry & { readonly body: string };

/** Reads an archive in pieces of the given sizes, repeated. */
function readTar(archive: Buffer, pieces: readonly number[] = [archive.length || 1], maxEntries = 1000): Read[] {
  const found: Read[] = [];
  let current: { entry: ReadEntry; parts: Buffer[] } | undefined;
  const reader = new TarReader(
    {
      begin: (entry) => {
        current = { entry, parts: [] };
      },
      data: (bytes) => current?.parts.push(Buffer.from(bytes)),
      end: () => {
        if (current !== undefined)
          found.push({ ...current.entry, body: Buffer.concat(current.parts).toString("latin1") });
        current = undefined;
      },
    },
    maxEntries,
  );
  for (let at = 0, index = 0; at < archive.length; index++) {
    const length = pieces[index % pieces.length] ?? 1;
    reader.push(archive.subarray(at, at + length));
    at += length;
  }
  reader.finish();
  return found;
}

/** A header block with some bytes changed and its checksum made right again. */
function patched(archive: Buffer, changes: Readonly<Record<number, string | Buffer>>): Buffer {
  const copy = Buffer.from(archive);
  for (const [offset, bytes] of Object.entries(changes)) Buffer.from(bytes as Buffer).copy(copy, Number(offset));
  copy.fill(" ", 148, 156);
  const sum = copy.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  copy.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return copy;
}

const one = (entry: Partial<TarEntry> = {}): Buffer => writeTar([{ name: "a", body: "content", ...entry }]);
const ustarPrefix = { 345: "some/prefix\0" };

describe("TarReader", () => {
  test("reads what was written, however the bytes are cut", () => {
    const name = fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => bytes.map((byte) => byte || 1));
    const entry = fc.record({
      name,
      body: fc.uint8Array({ maxLength: 2000 }),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: fc.integer({ min: 0, max: 0o7777777 }),
      mtimeSeconds: fc.integer({ min: 0, max: 2 ** 32 }),
      xattrs: fc.dictionary(fc.constantFrom("user.a", "user.b"), fc.uint8Array({ maxLength: 40 })),
    });
    const pieces = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 5 }), pieces, (entries, cuts) => {
        const read = readTar(writeTar(entries), cuts).map((found) => [
          found.path,
          found.body,
          found.mode,
          found.uid,
          found.mtime.seconds,
          Object.fromEntries(found.xattrs.map((xattr) => [xattr.name, xattr.value.toString("hex")])),
        ]);
        const written = entries.map((from) => [
          Buffer.from(from.name).toString("latin1"),
          Buffer.from(from.body).toString("latin1"),
          from.mode,
          from.uid,
          from.mtimeSeconds,
          Object.fromEntries(
            Object.entries(from.xattrs).map(([key, value]) => [key, Buffer.from(value).toString("hex")]),
          ),
        ]);
        expect(read).toEqual(written);
      }),
      { numRuns: 200 },
    );
  });

  test("any bytes end in entries or in an AgentError", () => {
    const start = writeTar([
      { name: "a".repeat(150), body: "x".repeat(700), xattrs: { "user.k": "v" } },
      { name: "l", type: "symlink", target: "t".repeat(200) },
    ]);
    const damage = fc.array(fc.tuple(fc.nat({ max: start.length - 1 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(damage, fc.boolean(), (changes, repair) => {
        const copy = Buffer.from(start);
        for (const [offset, byte] of changes) copy[offset] = byte;
        try {
          readTar(repair ? patched(copy, {}) : copy);
        } catch (error) {
          expect(
            hasCode(error, "InvalidArgument") || hasCode(error, "DataLoss") || hasCode(error, "ResourceExhausted"),
          ).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each<[string, Buffer, Partial<Read>]>([
    ["a USTAR prefix", patched(one(), ustarPrefix), { path: "some/prefix/a" }],
    ["no prefix in GNU archives", patched(one(), { ...ustarPrefix, 257: "ustar  \0" }), { path: "a" }],
    [
      "star's shorter prefix",
      patched(one(), { 345: Buffer.alloc(131, "p"), 476: "junk", 508: "tar\0" }),
      { path: `${"p".repeat(131)}/a` },
    ],
    ["no prefix in V7 archives", patched(one(), { ...ustarPrefix, 257: Buffer.alloc(8) }), { path: "a" }],
    [
      "a V7 directory by its slash",
      patched(one({ name: "d/", body: "" }), { 156: "\0" }),
      { kind: "directory", path: "d/" },
    ],
    ["a contiguous file", patched(one(), { 156: "7" }), { kind: "file", body: "content" }],
    [
      "a size in base 256",
      patched(one(), { 124: Buffer.from("800000000000000000000007", "hex") }),
      { body: "content" },
    ],
    [
      "a time before 1970 in base 256",
      patched(one(), { 136: Buffer.from("ffffffffffffffffffffffff", "hex") }),
      { mtime: { seconds: -1, nanoseconds: 0 } },
    ],
    ["numbers with spaces before", patched(one(), { 108: "    12 \0" }), { uid: 10 }],
    ["empty numbers", patched(one(), { 108: Buffer.alloc(8) }), { uid: 0 }],
    [
      "pax times with fractions",
      one({ pax: { mtime: "1700000000.123456789123" } }),
      { mtime: { seconds: 1_700_000_000, nanoseconds: 123_456_789 } },
    ],
    ["negative pax times", one({ pax: { mtime: "-1.25" } }), { mtime: { seconds: -2, nanoseconds: 750_000_000 } }],
    ["large pax ids", one({ pax: { uid: "4294967294", gid: "3000000" } }), { uid: 4_294_967_294, gid: 3_000_000 }],
    ["the last of two pax paths", one({ pax: { path: "p" } }), { path: "p" }],
    ["an empty pax value as none", one({ pax: { path: "" } }), { path: "a" }],
    ["unknown pax keys as nothing", one({ pax: { "VENDOR.x": "y", comment: "=\n=" } }), { path: "a" }],
    [
      "a size in a link's header as nothing",
      patched(writeTar([{ name: "l", type: "hardlink", target: "t" }]), { 124: "00000001000" }),
      { kind: "link", sizeBytes: 0 },
    ],
    ["an archive without end blocks", one().subarray(0, 1024), { body: "content" }],
    ["anything behind the end blocks", Buffer.concat([one(), Buffer.from("rubbish")]), { body: "content" }],
  ])("takes %s", (_name, archive, want) => {
    const read = readTar(archive);
    expect(read).toHaveLength(1);
    expect(read[0]).toMatchObject(want);
  });

  test.each<[string, Buffer, string]>([
    ["a wrong checksum", Buffer.from(one()).fill("b", 0, 1), "checksum"],
    ["letters for a number", patched(one(), { 108: "zzzzzzz\0" }), "uid is no octal number"],
    ["a number beyond 2^53", patched(one(), { 124: Buffer.from("80ffffffffffffffffffffff", "hex") }), "beyond 2^53"],
    ["a negative size", patched(one(), { 124: Buffer.from("ffffffffffffffffffffffff", "hex") }), "negative"],
    ["a GNU sparse file", patched(one(), { 156: "S" }), 'type "S"'],
    ["a PAX sparse file", one({ pax: { "GNU.sparse.major": "1" } }), "sparse"],
    ["a pax size that is none", one({ pax: { size: "-1" } }), "size"],
    ["a pax size in hex", one({ pax: { size: "0x10" } }), "size"],
    ["a pax time that is none", one({ pax: { mtime: "1e9" } }), "mtime"],
    ["a pax path with a NUL", one({ pax: { path: "a\0b" } }), "NUL"],
    ["a long name of a gigabyte", patched(one(), { 124: "07777777777", 156: "L" }), "extended tar header"],
    ["a pax header of a gigabyte", patched(one(), { 124: "07777777777", 156: "x" }), "extended tar header"],
    ["a global header of a gigabyte", patched(one(), { 124: "07777777777", 156: "g" }), "extended tar header"],
    ["a pax record without its length", patched(one({ body: "path=x\n" }), { 156: "x" }), "PAX"],
    ["a pax record longer than its header", patched(one({ body: "99 path=x\n" }), { 156: "x" }), "PAX"],
    ["a lone block of zeros", Buffer.concat([Buffer.alloc(512), one()]), "lone block of zeros"],
    ["a cut header", one().subarray(0, 300), "middle of an entry"],
    ["cut content", one().subarray(0, 515), "middle of an entry"],
    [
      "a pax header without an entry",
      Buffer.concat([one({ pax: { path: "p" } }).subarray(0, 1024), Buffer.alloc(1024)]),
      "middle",
    ],
  ])("refuses %s", (_name, archive, message) => {
    expect(() => readTar(archive)).toThrow(message);
  });

  test("counts entries, extension headers included", () => {
    const archive = writeTar(Array.from({ length: 11 }, (_, index) => ({ name: `f${index}` })));
    expect(() => readTar(archive, undefined, 10)).toThrow("more than 10 entries");
  });
});

import { paxLine, rawEntry, rawHeader, rawLong, rawPax, rawTar } from "../../support/raw-tar.ts";
import type { HostileImage } from "../image-trial.ts";
import { file, fixture, octal, one } from "./build.ts";
import { damaged, directories, end, holds, oversized, refused, tree } from "./verdicts.ts";

/** Extended headers that override what they should not. */
export const extensionFixtures: readonly HostileImage[] = [
  fixture("PaxPathWithNul", [[file("a", "x", { pax: { path: "a\0b" } })]], refused(/path holds a NUL byte/)),
  fixture(
    "PaxPathEmpty",
    one(rawPax(paxLine("path", "")), rawEntry({ name: "a" }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture(
    "PaxPathTwice",
    one(rawPax(paxLine("path", "../x") + paxLine("path", "y")), rawEntry({ name: "a" }, "abc")),
    tree({ y: holds("abc"), last: end }),
  ),
  fixture(
    "PaxPathThatClimbs",
    one(rawPax(paxLine("path", "y") + paxLine("path", "../x")), rawEntry({ name: "a" }, "abc")),
    refused(/holds "\.\."/),
  ),
  fixture(
    "PaxLinkThatClimbs",
    one(rawPax(paxLine("linkpath", "../../../../etc/passwd")), rawHeader({ name: "h", type: "1", link: "a" })),
    refused(/holds "\.\."/),
  ),
  fixture(
    "PaxPathOfAWhiteout",
    [[file("victim")], one(rawPax(paxLine("path", ".wh.victim")), rawEntry({ name: "a" }, "abc"))[0] ?? []],
    tree({ last: end }),
  ),
  fixture("PaxSizeNegative", one(rawPax(paxLine("size", "-1")), rawHeader({})), refused(/size is "-1"/)),
  fixture("PaxSizeNoNumber", one(rawPax(paxLine("size", "NaN")), rawHeader({})), refused(/size is "NaN"/)),
  fixture("PaxSizeOfAFraction", one(rawPax(paxLine("size", "3.0")), rawEntry({}, "abc")), refused(/size is "3\.0"/)),
  fixture("PaxSizeInHex", one(rawPax(paxLine("size", "0x10")), rawHeader({})), refused(/size is "0x10"/)),
  fixture(
    "PaxSizeHuge",
    one(rawPax(paxLine("size", "99999999999999999999")), rawHeader({})),
    refused(/size is "99999999999999999999"/),
  ),
  fixture(
    "PaxSizeBeyondTheArchive",
    one(rawPax(paxLine("size", "9007199254740991")), rawEntry({}, "abc")),
    damaged(/ends in the middle of an entry/),
  ),
  fixture(
    "PaxSizeOfAPaxHeader",
    one(rawPax(paxLine("size", "5")), rawPax(paxLine("path", "b")), rawEntry({ name: "a" }, "abc")),
    tree({ b: holds("abc"), last: end }),
  ),
  fixture("PaxOwnerOfLetters", one(rawPax(paxLine("uid", "root")), rawHeader({})), refused(/uid is "root"/)),
  fixture("PaxTimeOfLetters", one(rawPax(paxLine("mtime", "now")), rawHeader({})), refused(/mtime is "now"/)),
  fixture("PaxLengthZero", one(rawPax("0 path=x\n"), rawHeader({})), refused(/record at byte 0/)),
  fixture("PaxLengthTooLong", one(rawPax("99 path=x\n"), rawHeader({})), refused(/record at byte 0/)),
  fixture("PaxLengthTooShort", one(rawPax("6 path=x\n"), rawHeader({})), refused(/record at byte 0/)),
  fixture("PaxLengthHuge", one(rawPax("99999999999999999999 path=x\n"), rawHeader({})), refused(/record at byte 0/)),
  fixture("PaxLengthNegative", one(rawPax("-9 path=x\n"), rawHeader({})), refused(/record at byte 0/)),
  fixture("PaxWithoutEquals", one(rawPax("7 path\n"), rawHeader({})), refused(/record at byte 0/)),
  fixture("PaxWithoutNewline", one(rawPax("9 path=xy"), rawHeader({})), refused(/record at byte 0/)),
  fixture("PaxOfBinary", one(rawPax(Buffer.alloc(100, 0xff)), rawHeader({})), refused(/record at byte 0/)),
  fixture("PaxEmpty", one(rawPax(""), rawEntry({ name: "a" }, "abc")), tree({ a: holds("abc"), last: end })),
  fixture(
    "PaxKeyOfAPrototype",
    one(rawPax(paxLine("__proto__", "x") + paxLine("constructor", "y")), rawEntry({ name: "a" }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture(
    "PaxTooLong",
    one(rawPax(paxLine("comment", "c".repeat(1_048_600))), rawHeader({})),
    refused(/extended tar header has \d+ bytes: 1048576 are allowed/),
  ),
  fixture(
    "PaxOfAGibibyte",
    one(rawHeader({ name: "pax", type: "x", size: octal(2 ** 30) })),
    refused(/extended tar header has 1073741824 bytes/),
  ),
  fixture("PaxWithoutAnEntry", [rawTar(rawPax(paxLine("path", "b")))], damaged(/ends in the middle of an entry/)),
  fixture(
    "PaxTwiceBeforeAnEntry",
    one(rawPax(paxLine("path", "b")), rawPax(paxLine("uid", "7")), rawEntry({ name: "a" }, "abc")),
    tree({ a: 'file 644 7:0 "abc"', last: end }),
  ),
  fixture(
    "PaxOfManyRecords",
    one(
      rawPax(Array.from({ length: 60_000 }, (_, n) => paxLine(`k${n}`, "v")).join("")),
      rawEntry({ name: "a" }, "abc"),
    ),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture(
    "PaxAcrossTheWholeArchive",
    one(
      rawPax(paxLine("path", "../../x") + paxLine("uid", "4242") + paxLine("size", "0"), "g"),
      rawEntry({ name: "a" }, "abc"),
    ),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture(
    "PaxSparseOfGnu00",
    one(
      rawPax(paxLine("GNU.sparse.size", "99999999999") + paxLine("GNU.sparse.numblocks", "1")),
      rawEntry({ name: "a" }, "abc"),
    ),
    refused(/sparse file/),
  ),
  fixture(
    "PaxSparseOfGnu01",
    one(
      rawPax(paxLine("GNU.sparse.map", "0,1,9999999999,1") + paxLine("GNU.sparse.name", "../../x")),
      rawEntry({ name: "a" }, "abc"),
    ),
    refused(/sparse file/),
  ),
  fixture(
    "PaxSparseOfGnu10",
    one(
      rawPax(paxLine("GNU.sparse.major", "1") + paxLine("GNU.sparse.minor", "0") + paxLine("GNU.sparse.realsize", "1")),
      rawEntry({ name: "a" }, "1\n0\n1\n"),
    ),
    refused(/sparse file/),
  ),
  fixture(
    "LongName",
    one(rawLong("L", "d/".repeat(60)), rawEntry({ name: "cut" }, "abc")),
    tree({ ...directories("d/".repeat(59)), ["d/".repeat(60).slice(0, -1)]: holds("abc"), last: end }),
  ),
  fixture(
    "LongNameThatClimbs",
    one(rawLong("L", `${"d/".repeat(60)}../${"../".repeat(60)}x`), rawEntry({ name: "cut" }, "abc")),
    refused(/holds "\.\."/),
  ),
  fixture(
    "LongNameWithNul",
    one(rawLong("L", "a\0/../../x"), rawEntry({ name: "cut" }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture("LongNameEmpty", one(rawLong("L", ""), rawEntry({ name: "cut" }, "abc")), refused(/empty name/)),
  fixture(
    "LongNameTooLong",
    one(rawLong("L", "n".repeat(65_537)), rawHeader({})),
    refused(/extended tar header has 65538 bytes: 65536 are allowed/),
  ),
  fixture(
    "LongNameOfAGibibyte",
    one(rawHeader({ name: "././@LongLink", type: "L", magic: "ustar  \0", size: octal(2 ** 30) })),
    refused(/extended tar header has 1073741824 bytes/),
  ),
  fixture("LongNameWithoutAnEntry", [rawTar(rawLong("L", "x"))], damaged(/ends in the middle of an entry/)),
  fixture(
    "LongNameTwice",
    one(rawLong("L", "first"), rawLong("L", "second"), rawEntry({ name: "cut" }, "abc")),
    tree({ second: holds("abc"), last: end }),
  ),
  fixture(
    "LongNameAgainstPax",
    one(rawPax(paxLine("path", "of-pax")), rawLong("L", "of-gnu"), rawEntry({ name: "cut" }, "abc")),
    tree({ "of-gnu": holds("abc"), last: end }),
  ),
  fixture(
    "LongLinkThatClimbs",
    one(rawLong("K", `${"../".repeat(40)}etc/passwd`), rawHeader({ name: "h", type: "1", link: "cut" })),
    refused(/holds "\.\."/),
  ),
  fixture(
    "LongLinkOfAFile",
    one(rawLong("K", "x"), rawEntry({ name: "a" }, "abc")),
    tree({ a: holds("abc"), last: end }),
  ),
  fixture(
    "ExtensionsWithoutEnd",
    [Buffer.concat(Array(6_000).fill(rawPax(paxLine("comment", "x"))))],
    oversized(/more than 5000 entries/),
  ),
];

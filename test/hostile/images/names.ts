import type { HostileImage } from "../image-trial.ts";
import { dir, file, fixture, owned } from "./build.ts";
import { bytesOf, directories, directory, holds, refused, theirs, tree, x } from "./verdicts.ts";

/** From any depth up to the host's root, as a naive join would go. */
const up = "../".repeat(12);

/** Names that are no names, climb, are too long, or mean something to others. */
export const nameFixtures: readonly HostileImage[] = [
  fixture("ParentDirectory", [[dir("d"), owned("d/..")]], refused(/holds "\.\."/)),
  fixture("ParentRelative", [[dir("x"), dir("x/sub"), dir("x/sub/..", { mode: 0 })]], refused(/holds "\.\."/)),
  fixture("EmptyFilename", [[owned("")]], refused(/empty name/)),
  fixture("TraversalRelative", (c) => [[owned(`${up}${c}/file`)]], refused(/holds "\.\."/)),
  fixture("TraversalAbsolute", (c) => [[owned(`${c}/file`)]], tree({ CANARY: directory, "CANARY/file": theirs })),
  fixture("TraversalInside", [[dir("a"), owned("a/../../x")]], refused(/holds "\.\."/)),
  fixture(
    "TraversalByPax",
    (c) => [[{ name: "ok", body: "owned", pax: { path: `${up}${c}/file` } }]],
    refused(/holds "\.\."/),
  ),
  fixture("NameTooLong", [[owned("n".repeat(256))]], refused(/component over 255 bytes/)),
  fixture("PathTooLong", [[owned(`${"a/".repeat(2048)}x`)]], refused(/a name has 4097 bytes/)),
  fixture("PathTooDeep", [[owned(`${"a/".repeat(1025)}x`)]], refused(/deeper than 1024/)),
  fixture(
    "CaseAndUnicode",
    [
      [
        file("a", "a"),
        file("A", "A"),
        file("\u00e9", "composed"),
        file("e\u0301", "decomposed"),
        file("\u212a", "kelvin"),
        file("K", "K"),
        file("\u00df"),
        file("ss"),
      ],
    ],
    tree({
      a: holds("a"),
      A: holds("A"),
      [bytesOf("\u00e9")]: holds("composed"),
      [bytesOf("e\u0301")]: holds("decomposed"),
      [bytesOf("\u212a")]: holds("kelvin"),
      K: holds("K"),
      [bytesOf("\u00df")]: x,
      ss: x,
    }),
  ),
  fixture(
    "BytesThatAreNoUtf8",
    [
      [
        { name: Buffer.from([0xff, 0xfe]), body: "1" },
        { name: Buffer.from([0xff, 0xff]), body: "2" },
        { name: Buffer.from([0xc3]), body: "3" },
      ],
    ],
    tree({ "\xff\xfe": holds("1"), "\xff\xff": holds("2"), "\xc3": holds("3") }),
  ),
  fixture(
    "NamesOfControlCharacters",
    [[file("a\nb"), file("\u001b[2J"), file("\r"), file("\u007f"), file("\u202e"), file("-rf"), file(" "), file("\t")]],
    tree(
      Object.fromEntries(
        ["a\nb", "\u001b[2J", "\r", "\u007f", bytesOf("\u202e"), "-rf", " ", "\t"].map((name) => [name, x]),
      ),
    ),
  ),
  fixture(
    "NamesOfShells",
    [
      [
        file("$(touch x)"),
        file("`id`"),
        file("a;b"),
        file("*"),
        file("'\""),
        file("%s%n"),
        file("__proto__"),
        file("constructor"),
      ],
    ],
    tree(
      Object.fromEntries(
        ["$(touch x)", "`id`", "a;b", "*", "'\"", "%s%n", "__proto__", "constructor"].map((name) => [name, x]),
      ),
    ),
  ),
  fixture(
    "BackslashesAndDrives",
    [[file("..\\..\\x"), file("C:\\x"), file("\\\\host\\share")]],
    tree({ "..\\..\\x": x, "C:\\x": x, "\\\\host\\share": x }),
  ),
  fixture(
    "DotsThatAreNoParents",
    [[file("..."), file("..a"), file("a.."), file(". ."), file(".. /x")]],
    tree({ "...": x, "..a": x, "a..": x, ". .": x, ".. ": directory, ".. /x": x }),
  ),
  fixture("NameOfFullLength", [[owned("n".repeat(255))]], tree({ ["n".repeat(255)]: theirs })),
  fixture(
    "PathOfFullDepth",
    [[owned(`${"a/".repeat(1023)}x`)]],
    tree({ ...directories("a/".repeat(1023)), [`${"a/".repeat(1023)}x`]: theirs }),
  ),
];

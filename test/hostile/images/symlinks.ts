import type { HostileImage } from "../image-trial.ts";
import { dir, fixture, owned, symlink } from "./build.ts";
import { directories, directory, owner, refused, theirs, tree } from "./verdicts.ts";

/** From any depth up to the host's root, as a naive join would go. */
const up = "../".repeat(12);

/** Links l0 to l1 and so on, as containers see them. */
const chain = (length: number) =>
  Object.fromEntries(Array.from({ length }, (_, n) => [`l${n}`, `symlink -> l${n + 1}`]));

/** Symbolic links that lead out of the layer's root, round in circles, or another way than a moment ago. */
export const symlinkFixtures: readonly HostileImage[] = [
  fixture(
    "SymlinkAbsolute",
    (c) => [[symlink("l", c), owned("l/file"), owned("l/new")]],
    tree({ l: "symlink -> /CANARY", CANARY: directory, "CANARY/file": theirs, "CANARY/new": theirs }),
  ),
  fixture(
    "SymlinkUpAndOut",
    (c) => [[symlink("l", `${up}${c}`), owned("l/file")]],
    tree({ l: `symlink -> ${up}/CANARY`, CANARY: directory, "CANARY/file": theirs }),
  ),
  fixture(
    "SymlinkMultipleAbsolute",
    (c) => [[symlink("a", "/"), symlink("a/b", c), owned("a/b/file"), owned("b/file")]],
    tree({ a: "symlink -> /", b: "symlink -> /CANARY", CANARY: directory, "CANARY/file": theirs }),
  ),
  fixture(
    "SymlinkMultipleRelative",
    (c) => [[dir("d"), symlink("d/a", ".."), symlink("d/a/b", `d/a/${up}${c}`), owned("b/file")]],
    tree({
      d: directory,
      "d/a": "symlink -> ..",
      b: `symlink -> d/a/${up}/CANARY`,
      CANARY: directory,
      "CANARY/file": theirs,
    }),
  ),
  fixture(
    "SymlinkEmptyFile",
    (c) => [[symlink("l", `${c}/file`), owned("l", "")]],
    tree({ l: `file 777 ${owner} ""` }),
  ),
  fixture("SymlinkEmptyTarget", [[symlink("l", "")]], refused(/symbolic link "l" has a target of 0 bytes/)),
  fixture(
    "SymlinkLoop",
    [[symlink("a", "b"), symlink("b", "a"), owned("a/x")]],
    refused(/"a" leads through more than 40 symbolic links/),
  ),
  fixture(
    "SymlinkToItself",
    [[symlink("a", "a"), owned("a/x")]],
    refused(/"a" leads through more than 40 symbolic links/),
  ),
  fixture(
    "SlashEndedSymlink",
    (c) => [[symlink("l/", `${c}/`), owned("l//file"), dir("l/")]],
    tree({ l: directory, CANARY: directory, "CANARY/file": theirs }),
  ),
  fixture(
    "OverrideDirectory",
    (c) => [[dir("d"), owned("d/file"), symlink("d", c), owned("d/file"), owned("d/new")]],
    tree({ d: "symlink -> /CANARY", CANARY: directory, "CANARY/file": theirs, "CANARY/new": theirs }),
  ),
  fixture(
    "OverrideDirectoryRelative",
    (c) => [[dir("a"), dir("a/d"), symlink("a/d", `../${up}${c}`), owned("a/d/file")]],
    tree({ a: directory, "a/d": `symlink -> ../${up}/CANARY`, CANARY: directory, "CANARY/file": theirs }),
  ),
  fixture(
    "OverrideCachedParent",
    (c) => [[owned("a/b/c/1"), symlink("a/b", c), owned("a/b/c/2"), owned("a/b/file"), owned("a/b/sub/file")]],
    tree({
      a: directory,
      "a/b": "symlink -> /CANARY",
      CANARY: directory,
      "CANARY/c": directory,
      "CANARY/c/2": theirs,
      "CANARY/file": theirs,
      "CANARY/sub": directory,
      "CANARY/sub/file": theirs,
    }),
  ),
  fixture(
    "LowerSymlinkAbsolute",
    (c) => [
      [symlink("l", c), symlink("m", `${up}${c}`)],
      [owned("l/file"), owned("m/sub/file"), dir("m/sub", { uid: 4242, mode: 0o777 })],
    ],
    tree({
      l: "symlink -> /CANARY",
      m: `symlink -> ${up}/CANARY`,
      CANARY: directory,
      "CANARY/file": theirs,
      "CANARY/sub": "directory 777 4242:0",
      "CANARY/sub/file": theirs,
    }),
  ),
  fixture(
    "LowerSymlinkLoop",
    [[symlink("a", "b"), symlink("b", "a")], [owned("a/x")]],
    refused(/leads through more than 40 symbolic links/),
  ),
  fixture("LowerSymlinkIntoItself", [[symlink("a", "a/b")], [owned("a/b/x")]], refused(/symbolic link/)),
  fixture("SymlinkTargetTooLong", [[symlink("a", `${"b".repeat(300)}/c`), owned("a/x")]], refused(/b{100}/)),
  fixture(
    "SymlinkChainOfForty",
    [[...Array.from({ length: 40 }, (_, n) => symlink(`l${n}`, `l${n + 1}`)), dir("l40"), owned("l0/x")]],
    tree({ ...chain(40), l40: directory, "l40/x": theirs }),
  ),
  fixture(
    "SymlinkChainTooLong",
    [[...Array.from({ length: 41 }, (_, n) => symlink(`l${n}`, `l${n + 1}`)), dir("l41"), owned("l0/x")]],
    refused(/"l0" leads through more than 40 symbolic links/),
  ),
  fixture(
    "SymlinkMultiplies",
    [[...Array.from({ length: 30 }, (_, n) => symlink(`l${n}`, `l${n + 1}/../l${n + 1}`)), dir("l30"), owned("l0/x")]],
    refused(/"l0" leads through more than 40 symbolic links/),
  ),
  fixture(
    "SymlinkToProcRoot",
    (c) => [[symlink("l", `/proc/self/root${c}`), owned("l/file")]],
    tree({
      l: "symlink -> /proc/self/root/CANARY",
      ...directories("proc/self/root/var/tmp"),
      "proc/self/root/CANARY": directory,
      "proc/self/root/CANARY/file": theirs,
    }),
  ),
  fixture("SymlinkToOpenFile", [[symlink("l", "/proc/self/fd/0"), owned("l")]], tree({ l: theirs })),
  fixture(
    "SymlinkSwappedBetweenLayers",
    (c) => [[dir("d"), owned("d/file")], [symlink("d", c)], [owned("d/file"), owned("d/new")]],
    tree({ d: "symlink -> /CANARY", CANARY: directory, "CANARY/file": theirs, "CANARY/new": theirs }),
  ),
  fixture(
    "SymlinkBehindDirectoryOfLowerLayer",
    (c) => [[symlink("d", c)], [dir("d")], [owned("d/file")]],
    tree({ d: directory, "d/file": theirs }),
  ),
  fixture(
    "SymlinksOfTwoLayersTogether",
    (c) => [[symlink("a", "b/c")], [dir("b"), symlink("b/c", c)], [owned("a/file")]],
    tree({ a: "symlink -> b/c", b: directory, "b/c": "symlink -> /CANARY", CANARY: directory, "CANARY/file": theirs }),
  ),
  fixture(
    "SymlinkTargetOfFullLength",
    [[symlink("a", "b/".repeat(2047))]],
    tree({ a: `symlink -> ${"b/".repeat(2047)}` }),
  ),
  fixture(
    "SymlinkTargetBeyondPaths",
    [[symlink("a", "b".repeat(4096))]],
    refused(/symbolic link "a" has a target of 4096 bytes/),
  ),
];

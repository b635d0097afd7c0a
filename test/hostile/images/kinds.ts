import type { HostileImage } from "../image-trial.ts";
import { dir, file, fixture, link, owned, symlink } from "./build.ts";
import { directory, holds, refused, theirs, tree, x } from "./verdicts.ts";

/** Nodes that take the place of others, or of the root. */
export const kindFixtures: readonly HostileImage[] = [
  fixture("FileAsDirectory", [[owned("a"), owned("a/x")]], refused(/lies below "a", which is a file/)),
  fixture(
    "FifoAsDirectory",
    [[{ name: "a", type: "fifo" }], [owned("a/x")]],
    refused(/lies below "a", which is a fifo/),
  ),
  fixture(
    "FifoReplaced",
    [[{ name: "a", type: "fifo" }, owned("a"), link("b", "a")]],
    tree({ a: theirs, b: `${theirs} = a` }),
  ),
  fixture("LowerFileAsDirectory", [[owned("a")], [owned("a/x")]], refused(/lies below "a", which is a file/)),
  fixture(
    "DirectoryOnFileOfLowerLayer",
    [[file("a/b/c")], [file("a/b")], [file("a/b/d")]],
    refused(/lies below "a\/b", which is a file/),
  ),
  fixture(
    "TypeChangesOverLayers",
    [
      [file("a"), dir("b"), file("b/x"), symlink("c", "a")],
      [dir("a"), file("a/y"), file("b", "b"), dir("c")],
      [symlink("a", "b"), dir("b"), file("c", "c")],
    ],
    tree({ a: "symlink -> b", b: directory, c: holds("c") }),
  ),
  fixture("DuplicateFile", [[file("a", "one"), file("a", "two"), file("./a", "three")]], tree({ a: holds("three") })),
  fixture(
    "DuplicateDirectory",
    [[dir("d", { mode: 0o700 }), file("d/x"), dir("d", { mode: 0o711, uid: 5 })]],
    tree({ d: "directory 711 5:0", "d/x": x }),
  ),
  fixture(
    "DuplicateOfOtherKinds",
    [[file("a", "one"), dir("a"), file("a/x"), symlink("a", "b"), { name: "a", type: "fifo" }, file("a", "last")]],
    tree({ a: holds("last") }),
  ),
  fixture(
    "DirectoryNamedLikeRootOfNext",
    [[dir("/"), dir("//"), dir("./././"), dir("", { mode: 0o700, pax: { path: "." } })]],
    tree({ "": "directory 700" }),
  ),
  fixture(
    "RootChangesOwner",
    [[dir("./", { mode: 0o1777, uid: 7, gid: 8 }), file("a")]],
    tree({ "": "directory 1777 7:8", a: x }),
  ),
  fixture(
    "RootReplacedByFifo",
    [[{ name: "./", type: "fifo" }]],
    refused(/a fifo is named "\.\/": only a directory may be the root/),
  ),
  fixture("FileNamedRoot", [[owned("./")]], refused(/a file is named "\.\/": only a directory may be the root/)),
  fixture(
    "SymlinkNamedRoot",
    (c) => [[symlink("/", c), owned("file")]],
    refused(/a symlink is named "\/": only a directory may be the root/),
  ),
  fixture(
    "SymlinkNamedDot",
    (c) => [[symlink("./", c), owned("file")]],
    refused(/a symlink is named "\.\/": only a directory may be the root/),
  ),
  fixture("SymlinkNamedDotDot", (c) => [[symlink("..", c), owned("file")]], refused(/holds "\.\."/)),
  fixture(
    "DirectoryOverrideSymlink",
    (c) => [[symlink("l", c), dir("l", { mode: 0o777, uid: 4242 }), owned("l/file")]],
    tree({ l: "directory 777 4242:0", "l/file": theirs }),
  ),
];

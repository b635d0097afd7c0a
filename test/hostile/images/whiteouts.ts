import type { HostileImage } from "../image-trial.ts";
import { dir, file, fixture, link, owned, symlink, whiteout } from "./build.ts";
import { directories, directory, holds, refused, theirs, tree, x } from "./verdicts.ts";

/** From any depth up to the host's root, as a naive join would go. */
const up = "../".repeat(12);

/** Whiteouts of what they must not hide, in places they must not be, and in forms that nobody wrote down. */
export const whiteoutFixtures: readonly HostileImage[] = [
  fixture("WhiteoutRootParent", [[{ name: ".wh..." }]], refused(/whiteout "\.wh\.\.\." names no file/)),
  fixture("WhiteoutRoot", [[{ name: ".wh.." }]], refused(/whiteout "\.wh\.\." names no file/)),
  fixture("WhiteoutBare", [[{ name: ".wh." }]], refused(/whiteout "\.wh\." names no file/)),
  fixture(
    "WhiteoutCurrentDirectory",
    [[dir("etc"), { name: "etc/.wh.." }]],
    refused(/whiteout "etc\/\.wh\.\." names no file/),
  ),
  fixture(
    "WhiteoutParent",
    [[dir("etc"), { name: "etc/.wh..." }]],
    refused(/whiteout "etc\/\.wh\.\.\." names no file/),
  ),
  fixture("WhiteoutDirectoryName", [[owned(".wh.d/x")]], refused(/lies in "\.wh\.d": a whiteout is no directory/)),
  fixture("WhiteoutSymlink", (c) => [[symlink("l", c)], [{ name: ".wh.l" }]], tree({})),
  fixture(
    "WhiteoutSymlinkPath",
    (c) => [[symlink("l", c)], [{ name: "l/.wh.file" }, { name: "l/.wh..wh..opq" }]],
    tree({ l: "symlink -> /CANARY", CANARY: directory }),
  ),
  fixture(
    "WhiteoutOwnSymlinkPath",
    (c) => [[owned("x")], [symlink("l", `${up}${c}`), { name: "l/.wh.file" }]],
    tree({ x: theirs, l: `symlink -> ${up}/CANARY`, CANARY: directory }),
  ),
  fixture(
    "WhiteoutDeadSymlinkParent",
    [[symlink("l", "/does/not/exist")], [{ name: "l/.wh.file" }]],
    tree({ l: "symlink -> /does/not/exist", ...directories("does/not/exist") }),
  ),
  fixture("WhiteoutRelativePath", (c) => [[{ name: `d/../${up}${c}/.wh.file` }]], refused(/holds "\.\."/)),
  fixture("WhiteoutOfNothing", [[file("a")], [whiteout(".wh.b"), whiteout("c/.wh.d")]], tree({ a: x, c: directory })),
  fixture(
    "WhiteoutInBottomLayer",
    [[file("a"), whiteout(".wh.a"), whiteout("d/.wh..wh..opq")]],
    tree({ a: x, d: directory }),
  ),
  fixture(
    "WhiteoutOfSameLayer",
    [
      [file("a", "lower"), file("b", "lower")],
      [file("a", "upper"), whiteout(".wh.a"), whiteout(".wh.b"), file("b", "upper")],
    ],
    tree({ a: holds("upper"), b: holds("upper") }),
  ),
  fixture("WhiteoutOfWhiteout", [[file("a")], [whiteout(".wh..wh.a")]], tree({ a: x })),
  fixture("WhiteoutWithContent", [[file("a")], [{ name: ".wh.a", body: "content", mode: 0o4755, uid: 5 }]], tree({})),
  fixture("WhiteoutAsDirectory", [[file("a")], [dir(".wh.a")]], tree({})),
  fixture("WhiteoutAsSymlink", (c) => [[file("a")], [symlink(".wh.a", c)]], tree({})),
  fixture("WhiteoutAsHardlink", [[file("a"), file("b")], [link(".wh.a", "b")]], tree({ b: x })),
  fixture(
    "WhiteoutAsDevice",
    [[file("a")], [{ name: ".wh.a", type: "character", device: { major: 1, minor: 3 } }]],
    tree({}),
  ),
  fixture(
    "WhiteoutAsTarget",
    [[file("a")], [whiteout(".wh.a"), link("b", ".wh.a")]],
    refused(/hard link "b" has the target "\.wh\.a": must be a file/),
  ),
  fixture("WhiteoutTwice", [[file("a")], [whiteout(".wh.a"), whiteout(".wh.a")], [whiteout(".wh.a")]], tree({})),
  fixture(
    "WhiteoutThenLinkToHidden",
    [[file("a", "hidden")], [whiteout(".wh.a"), link("b", "a")]],
    tree({ b: holds("hidden") }),
  ),
  fixture(
    "WhiteoutOfDirectoryThenInside",
    [
      [dir("d"), file("d/secret")],
      [whiteout(".wh.d"), file("d/new")],
    ],
    tree({ d: directory, "d/new": x }),
  ),
  fixture(
    "WhiteoutOfParentOfSymlink",
    [
      [dir("d"), symlink("d/l", "/etc")],
      [whiteout(".wh.d"), dir("d"), file("d/l/x")],
    ],
    tree({ d: directory, "d/l": directory, "d/l/x": x }),
  ),
  fixture("WhiteoutThroughFile", [[file("a")], [whiteout("a/.wh.x")]], refused(/lies below "a", which is a file/)),
  fixture(
    "WhiteoutsOfManyLayersInParallel",
    [[file("s", "secret"), file("k", "kept")], [whiteout(".wh.s")], [file("x")], [file("y")], [whiteout(".wh.x")]],
    tree({ k: holds("kept"), y: x }),
  ),
  fixture(
    "OpaqueRoot",
    [
      [file("a"), dir("d"), file("d/b")],
      [whiteout(".wh..wh..opq"), file("c")],
    ],
    tree({ c: x }),
  ),
  fixture("OpaqueOfNothing", [[file("a")], [whiteout("d/e/.wh..wh..opq")]], tree({ a: x, ...directories("d/e") })),
  fixture(
    "OpaqueAtTheEnd",
    [
      [dir("d"), file("d/lower")],
      [dir("d"), file("d/upper"), whiteout("d/.wh..wh..opq")],
    ],
    tree({ d: directory, "d/upper": x }),
  ),
  fixture(
    "OpaqueTwice",
    [
      [dir("d"), file("d/lower")],
      [whiteout("d/.wh..wh..opq"), whiteout("d/.wh..wh..opq")],
    ],
    tree({ d: directory }),
  ),
  fixture(
    "OpaqueThroughSymlink",
    (c) => [[symlink("l", c), dir("d"), file("d/x")], [whiteout("l/.wh..wh..opq")]],
    tree({ l: "symlink -> /CANARY", d: directory, "d/x": x, CANARY: directory }),
  ),
  fixture("OpaqueThroughFile", [[file("a")], [whiteout("a/.wh..wh..opq")]], refused(/lies below "a", which is a file/)),
  fixture(
    "OpaqueBelowReplacedFile",
    [[file("a")], [dir("a"), whiteout("a/.wh..wh..opq"), file("a/b")]],
    tree({ a: directory, "a/b": x }),
  ),
  fixture(
    "OpaqueAndLinkToHidden",
    [
      [dir("d"), file("d/hidden")],
      [whiteout("d/.wh..wh..opq"), link("d/b", "d/hidden")],
    ],
    tree({ d: directory, "d/b": x }),
  ),
  fixture(
    "OpaqueAsXattr",
    [
      [dir("d"), file("d/lower")],
      [dir("d", { xattrs: { "trusted.overlay.opaque": "y", "user.overlay.opaque": "y" } })],
    ],
    tree({ d: directory, "d/lower": x }),
  ),
  fixture(
    "BookkeepingOfAufs",
    [[file("a")], [dir(".wh..wh.plnk"), whiteout(".wh..wh.aufs"), whiteout("d/.wh..wh.orph")]],
    tree({ a: x }),
  ),
  fixture("BookkeepingOfAufsAsDirectory", [[file("a")], [file(".wh..wh.plnk/1.2")]], tree({ a: x })),
  fixture(
    "HardlinkIntoWhiteoutDirectory",
    [[file("a")], [link("b", ".wh.d/a")]],
    refused(/hard link "b" has the target "\.wh\.d\/a"/),
  ),
];

import type { HostileImage } from "../image-trial.ts";
import { dir, file, fixture, link, owned, symlink } from "./build.ts";
import { directory, holds, refused, theirs, tree } from "./verdicts.ts";

/** From any depth up to the host's root, as a naive join would go. */
const up = "../".repeat(12);

/** Hard links to what is not the image's, not there (yet), or not what it was.
 *
 * Attributes in a hard link's header do not count, as with GNU tar: the target's own entry has them. Where a layer
 * links to a lower file and hides or replaces that file as well, the link gets the lower file in whatever order the
 * entries stand: whiteouts have no place in the order, and of the two outcomes this is the one that loses nothing. */
export const hardLinkFixtures: readonly HostileImage[] = [
  fixture(
    "HardlinkAbsolute",
    (c) => [[link("h", `${c}/file`), owned("h")]],
    refused(/hard link "h" has the target ".+\/file", which does not exist/),
  ),
  fixture("HardlinkRelative", (c) => [[link("h", `..${c}/file`)]], refused(/holds "\.\."/)),
  fixture("HardlinkDownAndOut", (c) => [[dir("d"), link("h", `d/../${up}${c}/file`)]], refused(/holds "\.\."/)),
  fixture("HardlinkUpAndOut", (c) => [[link("h", `${up}${c}/file`)]], refused(/holds "\.\."/)),
  fixture(
    "HardlinkThroughSymlink",
    (c) => [[symlink("l", c), link("h", "l/file"), owned("h")]],
    refused(/hard link "h" has the target "l\/file", which does not exist/),
  ),
  fixture(
    "HardlinkThroughRelativeSymlink",
    (c) => [[symlink("l", `${up}${c}`), link("h", "l/file")]],
    refused(/hard link "h" has the target "l\/file", which does not exist/),
  ),
  fixture(
    "HardlinkToSymlinkThenWrite",
    (c) => [[symlink("l", `${c}/file`), link("h", "l"), owned("h")]],
    tree({ l: "symlink -> /CANARY/file", h: theirs }),
  ),
  fixture(
    "HardlinkSymlinkChmod",
    (c) => [[symlink("l", `${c}/file`), { ...link("h", "l"), mode: 0o777, uid: 4242, mtimeSeconds: 1 }]],
    tree({ h: "symlink -> /CANARY/file", l: "symlink -> /CANARY/file = h" }),
  ),
  fixture(
    "HardlinkSymlinkDirectory",
    (c) => [[symlink("l", c), link("h", "l"), owned("h/file"), owned("h/new")]],
    tree({
      h: "symlink -> /CANARY",
      l: "symlink -> /CANARY = h",
      CANARY: directory,
      "CANARY/file": theirs,
      "CANARY/new": theirs,
    }),
  ),
  fixture(
    "HardlinkBeforeTarget",
    [[link("h", "t"), owned("t")]],
    refused(/hard link "h" has the target "t", which does not exist/),
  ),
  fixture("HardlinkToDirectory", [[dir("d"), link("h", "d")]], refused(/hard link "h" has a directory as its target/)),
  fixture("HardlinkToRoot", [[link("h", "/")]], refused(/hard link "h" has the target "\/": must be a file/)),
  fixture("HardlinkToItself", [[owned("f"), link("f", "f")]], tree({ f: theirs })),
  fixture(
    "DirectoryOverrideSymlinkAndHardlink",
    (c) => [[symlink("l", c), link("h", "l"), dir("h", { uid: 4242 }), owned("h/file"), owned("l/file")]],
    tree({
      l: "symlink -> /CANARY",
      h: "directory 755 4242:0",
      "h/file": theirs,
      CANARY: directory,
      "CANARY/file": theirs,
    }),
  ),
  fixture(
    "LowerSymlinkHardlink",
    (c) => [[symlink("l", c)], [link("h", "l/file")]],
    refused(/hard link "h" has the target "l\/file", which is missing/),
  ),
  fixture(
    "LowerSymlinkHardlinkThenWrite",
    (c) => [[symlink("l", c)], [link("h", "l/file"), owned("h")]],
    tree({ l: "symlink -> /CANARY", h: theirs }),
  ),
  fixture(
    "HardlinkToLowerThenChanged",
    [[owned("a")], [link("b", "a"), file("a", "new")]],
    tree({ a: holds("new"), b: theirs }),
  ),
  fixture(
    "HardlinkChainThroughLayers",
    [[owned("a")], [link("b", "a")], [link("c", "b"), file("c", "new")]],
    tree({ a: theirs, b: `${theirs} = a`, c: holds("new") }),
  ),
  fixture("HardlinkWithContent", [[owned("t"), { ...link("h", "t"), body: "no header" }]], refused(/checksum/)),
  fixture(
    "HardlinkIntoPrefixOfRoot",
    (c) => [[link("h", `${c}2/file`)]],
    refused(/hard link "h" has the target ".+2\/file", which does not exist/),
  ),
  fixture(
    "RootReplacedByHardlink",
    [[file("a"), link("/", "a")]],
    refused(/a link is named "\/": only a directory may be the root/),
  ),
];

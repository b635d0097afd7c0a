import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Digest } from "../../src/common/ids.ts";
import { snapshotForms } from "../../src/images/snapshot-form.ts";
import { LayerFixture } from "../images/layer-fixture.ts";
import { listTree } from "../images/tree-listing.ts";
import { cannotRun } from "../support/requirements.ts";
import { type TarEntry, writeTar } from "../support/tar-writer.ts";

/** One image: layers bottom first, and what a container sees. */
interface LayerCase {
  readonly name: string;
  readonly layers: readonly (readonly TarEntry[])[];
  /** Path to a summary of the node; paths not named must not exist. */
  readonly tree: Readonly<Record<string, string>>;
}

const dir = (name: string, more: Partial<TarEntry> = {}): TarEntry => ({ name, type: "directory", ...more });
const file = (name: string, body = name, more: Partial<TarEntry> = {}): TarEntry => ({ name, body, ...more });
const link = (name: string, target: string): TarEntry => ({ name, type: "hardlink", target });
const symlink = (name: string, target: string): TarEntry => ({ name, type: "symlink", target });
const whiteout = (name: string): TarEntry => ({ name, body: "" });

const cases: readonly LayerCase[] = [
  {
    name: "every kind of node with its attributes",
    layers: [
      [
        dir("./", { mode: 0o750, uid: 7, gid: 8 }),
        dir("./d/", { mode: 0o3775, uid: 1, gid: 2 }),
        file("./d/suid", "x", { mode: 0o6755, uid: 3, gid: 4 }),
        symlink("./d/s", "../../../etc/passwd"),
        { name: "d/fifo", type: "fifo", mode: 0o622, uid: 5 },
        { name: "d/null", type: "character", mode: 0o666, device: { major: 1, minor: 3 } },
        { name: "d/disk", type: "block", mode: 0o660, gid: 6, device: { major: 259, minor: 70000 } },
        link("d/again", "d/suid"),
        link("/d/link-to-link", "d/s"),
        file("empty", ""),
      ],
    ],
    tree: {
      "": "directory 750 7:8",
      d: "directory 3775 1:2",
      "d/suid": "file 6755 3:4 1 = d/again",
      "d/again": "file 6755 3:4 1",
      "d/s": "symlink 0:0 -> ../../../etc/passwd = d/link-to-link",
      "d/link-to-link": "symlink 0:0 -> ../../../etc/passwd",
      "d/fifo": "fifo 622 5:0",
      "d/null": "char 666 0:0 1:3",
      "d/disk": "block 660 0:6 259:70000",
      empty: "file 644 0:0 0",
    },
  },
  {
    name: "a link to a link to a lower file outlives the first link",
    layers: [[file("x", "four")], [link("a", "x"), link("b", "a"), file("a", "other")]],
    tree: { a: "file 644 0:0 5", b: "file 644 0:0 4", x: "file 644 0:0 4 = b" },
  },
  {
    name: "a whiteout hides a file, and one of nothing leaves nothing",
    layers: [
      [dir("d"), file("d/a"), file("d/b")],
      [dir("d"), whiteout("d/.wh.a"), whiteout("d/.wh.none"), dir("new"), whiteout("new/.wh.none")],
    ],
    tree: { d: "directory 755 0:0", "d/b": "file 644 0:0 3", new: "directory 755 0:0" },
  },
  {
    name: "a whiteout of a directory that the same layer makes anew, in any order",
    layers: [
      [dir("d", { mode: 0o700 }), file("d/old"), dir("e"), file("e/old")],
      [dir("d"), file("d/new"), whiteout(".wh.d"), whiteout(".wh.e"), file("e/new")],
    ],
    tree: {
      d: "directory 755 0:0",
      "d/new": "file 644 0:0 5",
      e: "directory 755 0:0",
      "e/new": "file 644 0:0 5",
    },
  },
  {
    name: "an opaque directory hides what lies below, wherever its mark stands",
    layers: [
      [dir("d", { mode: 0o711 }), file("d/old"), dir("d/sub"), file("d/sub/old"), dir("e"), file("e/old")],
      [file("d/new"), whiteout("d/.wh..wh..opq"), whiteout("e/.wh..wh..opq"), dir("e", { mode: 0o500 })],
    ],
    tree: { d: "directory 711 0:0", "d/new": "file 644 0:0 5", e: "directory 500 0:0" },
  },
  {
    name: "an opaque root hides all layers below",
    layers: [[file("old"), dir("d"), file("d/old")], [file("middle")], [whiteout(".wh..wh..opq"), file("new")]],
    tree: { new: "file 644 0:0 3" },
  },
  {
    name: "implied directories are what the layers below say",
    layers: [
      [dir("a", { mode: 0o700, uid: 11, xattrs: { "user.k": "v" } }), dir("a/b", { mode: 0o1777, gid: 12 })],
      [file("a/b/c/x"), file("fresh/x")],
    ],
    tree: {
      a: "directory 700 11:0 user.k=76",
      "a/b": "directory 1777 0:12",
      "a/b/c": "directory 755 0:0",
      "a/b/c/x": "file 644 0:0 7",
      fresh: "directory 755 0:0",
      "fresh/x": "file 644 0:0 7",
    },
  },
  {
    name: "entries below a link of a lower layer go where it leads",
    layers: [
      [
        dir("usr"),
        dir("usr/lib", { mode: 0o711 }),
        file("usr/lib/old"),
        file("usr/lib/gone"),
        symlink("lib", "usr/lib"),
      ],
      [file("lib/new"), file("lib/old", "changed"), whiteout("lib/.wh.gone"), file("lib/sub/x"), file("usr/lib/own")],
    ],
    tree: {
      usr: "directory 755 0:0",
      "usr/lib": "directory 711 0:0",
      "usr/lib/new": "file 644 0:0 7",
      "usr/lib/old": "file 644 0:0 7",
      "usr/lib/own": "file 644 0:0 11",
      "usr/lib/sub": "directory 755 0:0",
      "usr/lib/sub/x": "file 644 0:0 9",
      lib: "symlink 0:0 -> usr/lib",
    },
  },
  {
    name: "links of lower layers are followed inside the root, over several layers, and to what does not exist yet",
    layers: [
      [symlink("a", "/b"), symlink("out", "../../../../c"), dir("c")],
      [symlink("b", "c/d")],
      [file("a/x"), file("out/y")],
    ],
    tree: {
      a: "symlink 0:0 -> /b",
      b: "symlink 0:0 -> c/d",
      out: "symlink 0:0 -> ../../../../c",
      c: "directory 755 0:0",
      "c/d": "directory 755 0:0",
      "c/d/x": "file 644 0:0 3",
      "c/y": "file 644 0:0 5",
    },
  },
  {
    name: "an entry that comes through a lower link may take the link's place",
    layers: [[dir("b"), symlink("b/c", "../b")], [file("b/c/c")]],
    tree: { b: "directory 755 0:0", "b/c": "file 644 0:0 5" },
  },
  {
    name: "a directory with an entry replaces a link of a lower layer",
    layers: [
      [dir("usr"), dir("usr/lib"), file("usr/lib/x"), symlink("lib", "usr/lib")],
      [dir("lib"), file("lib/y")],
    ],
    tree: {
      usr: "directory 755 0:0",
      "usr/lib": "directory 755 0:0",
      "usr/lib/x": "file 644 0:0 9",
      lib: "directory 755 0:0",
      "lib/y": "file 644 0:0 5",
    },
  },
  {
    name: "hard links to files of lower layers share the file",
    layers: [
      [
        dir("d", { mode: 0o700 }),
        file("d/f", "content", { mode: 0o4711, uid: 9, xattrs: { "user.k": "v" } }),
        symlink("dir-link", "d"),
        symlink("d/s", "f"),
      ],
      [link("one", "d/f"), link("two", "dir-link/f"), link("three", "one"), link("sym", "d/s")],
    ],
    tree: {
      d: "directory 700 0:0",
      "d/f": "file 4711 9:0 7 user.k=76",
      one: "file 4711 9:0 7 user.k=76 = d/f",
      two: "file 4711 9:0 7 user.k=76 = d/f",
      three: "file 4711 9:0 7 user.k=76 = d/f",
      "d/s": "symlink 0:0 -> f",
      sym: "symlink 0:0 -> f = d/s",
      "dir-link": "symlink 0:0 -> d",
    },
  },
  {
    name: "nodes change kind from layer to layer",
    layers: [
      [dir("a"), file("a/x"), file("b"), symlink("c", "a"), dir("e"), file("e/x")],
      [file("a"), dir("b"), file("b/x"), dir("c"), file("c/x"), file("e")],
      [dir("a"), file("b"), file("c"), dir("e"), file("e/y")],
    ],
    tree: {
      a: "directory 755 0:0",
      b: "file 644 0:0 1",
      c: "file 644 0:0 1",
      e: "directory 755 0:0",
      "e/y": "file 644 0:0 3",
    },
  },
  {
    name: "nodes change kind within a layer: the last entry counts, and lower content is gone",
    layers: [
      [dir("a"), file("a/low"), dir("b"), file("b/low")],
      [
        file("a"),
        dir("a"),
        file("a/x"),
        dir("b"),
        file("b/y"),
        file("b"),
        symlink("s", "a"),
        file("s/z"),
        file("s"),
        file("twice", "first"),
        file("twice", "2"),
      ],
    ],
    tree: {
      a: "directory 755 0:0",
      "a/x": "file 644 0:0 3",
      "a/z": "file 644 0:0 3",
      b: "file 644 0:0 1",
      s: "file 644 0:0 1",
      twice: "file 644 0:0 1",
    },
  },
  {
    name: "foreign names stay bytes and long ones stay whole",
    layers: [
      [
        { name: Buffer.from("caf\xe9", "latin1"), body: "latin1" },
        file("café", "utf8"),
        file(`${"n".repeat(255)}`),
        file(`${"deep/".repeat(100)}x`, "deep"),
        file("line\nbreak"),
      ],
    ],
    tree: {
      "caf\xe9": "file 644 0:0 6",
      [Buffer.from("café").toString("latin1")]: "file 644 0:0 4",
      ["n".repeat(255)]: "file 644 0:0 255",
      ...Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`${"deep/".repeat(n)}deep`, "directory 755 0:0"])),
      [`${"deep/".repeat(100)}x`]: "file 644 0:0 4",
      "line\nbreak": "file 644 0:0 10",
    },
  },
  {
    name: "aufs's own files and foreign attributes are left out",
    layers: [
      [
        whiteout(".wh..wh.aufs"),
        { name: ".wh..wh.plnk", type: "directory" },
        file("f", "f", {
          xattrs: {
            "trusted.overlay.opaque": "y",
            "user.overlay.opaque": "y",
            "security.selinux": "x",
            "security.ima": "x",
            "user.kept": "k",
            "security.capability": Buffer.from("0100000200040000000000000000000000000000", "hex"),
          },
        }),
      ],
    ],
    tree: { f: "file 644 0:0 1 security.capability=0100000200040000000000000000000000000000 user.kept=6b" },
  },
];

describe.skipIf(cannotRun("tar")).each(snapshotForms)("layers on overlayfs, as %s,", (form) => {
  let fixture: LayerFixture;
  beforeAll(async () => {
    fixture = await LayerFixture.start({ form });
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test.each(cases)("$name", async ({ layers, tree }) => {
    const top = await fixture.apply(layers.map(writeTar));
    const { "": root = "directory 755 0:0", ...rest } = tree;
    expect(summary(fixture, top)).toEqual({ "": root, ...rest });
    expect(fixture.leftovers()).toEqual([]);
  });
});

function summary(fixture: LayerFixture, top: Digest): Record<string, string> {
  const listed = listTree(fixture.mount(top));
  const lines = [...listed].map(([path, node]) => {
    const xattrs = Object.entries(node.xattrs).map(([name, value]) => `${name}=${value}`);
    const size = node.content?.split(" ")[0];
    const target = node.target === undefined ? undefined : `-> ${node.target}`;
    const linked = node.linkedTo === undefined ? undefined : `= ${node.linkedTo}`;
    const words = [node.kind, node.mode, node.owner, size, node.device, target, ...xattrs, linked];
    return [path, words.filter((word) => word !== undefined && word !== "").join(" ")];
  });
  return Object.fromEntries(lines);
}

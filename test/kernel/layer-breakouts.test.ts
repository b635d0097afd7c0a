import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasCode } from "../../src/common/errors.ts";
import { removeTreeNow } from "../../src/system/remove-tree.ts";
import { LayerFixture } from "../images/layer-fixture.ts";
import { type ListedNode, listTree } from "../images/tree-listing.ts";
import { cannotRun } from "../support/requirements.ts";
import { type TarEntry, writeTar } from "../support/tar-writer.ts";

const dir = (name: string, more: Partial<TarEntry> = {}): TarEntry => ({ name, type: "directory", ...more });
const file = (name: string, body = "owned"): TarEntry => ({ name, body, mode: 0o777, uid: 4242, gid: 4242 });
const link = (name: string, target: string): TarEntry => ({ name, type: "hardlink", target });
const symlink = (name: string, target: string): TarEntry => ({ name, type: "symlink", target });

/** A layer that tries to reach out of its root. `canary` is a directory on the host with `file`, `sub/file` and a link. */
interface Breakout {
  readonly name: string;
  readonly entries: (canary: string) => readonly TarEntry[];
  /** Whether the layer is refused, or harmless inside its root. */
  readonly verdict: "refused" | "contained";
  /** A layer to lie below. */
  readonly below?: (canary: string) => readonly TarEntry[];
}

/** From any depth up to the host's root, as a naive join would go. */
const up = "../".repeat(12);

const breakouts: readonly Breakout[] = [
  { name: "SymlinkAbsolute", verdict: "contained", entries: (c) => [symlink("l", c), file("l/file"), file("l/new")] },
  { name: "SymlinkUpAndOut", verdict: "contained", entries: (c) => [symlink("l", `${up}${c}`), file("l/file")] },
  {
    name: "SymlinkMultipleAbsolute",
    verdict: "contained",
    entries: (c) => [symlink("a", "/"), symlink("a/b", c), file("a/b/file"), file("b/file")],
  },
  {
    name: "SymlinkMultipleRelative",
    verdict: "contained",
    entries: (c) => [dir("d"), symlink("d/a", ".."), symlink("d/a/b", `d/a/${up}${c}`), file("b/file")],
  },
  { name: "SymlinkEmptyFile", verdict: "contained", entries: (c) => [symlink("l", `${c}/file`), file("l", "")] },
  { name: "SymlinkEmptyTarget", verdict: "refused", entries: () => [symlink("l", "")] },
  { name: "SymlinkLoop", verdict: "refused", entries: () => [symlink("a", "b"), symlink("b", "a"), file("a/x")] },
  { name: "SymlinkToItself", verdict: "refused", entries: () => [symlink("a", "a"), file("a/x")] },
  { name: "SymlinkNamedRoot", verdict: "refused", entries: (c) => [symlink("/", c), file("file")] },
  { name: "SymlinkNamedDot", verdict: "refused", entries: (c) => [symlink("./", c), file("file")] },
  { name: "SymlinkNamedDotDot", verdict: "refused", entries: (c) => [symlink("..", c), file("file")] },
  { name: "FileNamedRoot", verdict: "refused", entries: () => [file("./")] },
  { name: "ParentDirectory", verdict: "refused", entries: () => [dir("d"), file("d/..")] },
  { name: "ParentRelative", verdict: "refused", entries: () => [dir("x"), dir("x/sub"), dir("x/sub/..", { mode: 0 })] },
  { name: "EmptyFilename", verdict: "refused", entries: () => [file("")] },
  { name: "TraversalRelative", verdict: "refused", entries: (c) => [file(`${up}${c}/file`)] },
  { name: "TraversalAbsolute", verdict: "contained", entries: (c) => [file(`${c}/file`)] },
  { name: "TraversalInside", verdict: "refused", entries: () => [dir("a"), file("a/../../x")] },
  {
    name: "TraversalByPax",
    verdict: "refused",
    entries: (c) => [{ name: "ok", body: "owned", pax: { path: `${up}${c}/file` } }],
  },
  {
    name: "SlashEndedSymlink",
    verdict: "contained",
    entries: (c) => [symlink("l/", `${c}/`), file("l//file"), dir("l/")],
  },
  {
    name: "OverrideDirectory",
    verdict: "contained",
    entries: (c) => [dir("d"), file("d/file"), symlink("d", c), file("d/file"), file("d/new")],
  },
  {
    name: "OverrideDirectoryRelative",
    verdict: "contained",
    entries: (c) => [dir("a"), dir("a/d"), symlink("a/d", `../${up}${c}`), file("a/d/file")],
  },
  {
    name: "OverrideCachedParent",
    verdict: "contained",
    entries: (c) => [file("a/b/c/1"), symlink("a/b", c), file("a/b/c/2"), file("a/b/file"), file("a/b/sub/file")],
  },
  { name: "HardlinkAbsolute", verdict: "refused", entries: (c) => [link("h", `${c}/file`), file("h")] },
  { name: "HardlinkRelative", verdict: "refused", entries: (c) => [link("h", `..${c}/file`)] },
  { name: "HardlinkDownAndOut", verdict: "refused", entries: (c) => [dir("d"), link("h", `d/../${up}${c}/file`)] },
  { name: "HardlinkUpAndOut", verdict: "refused", entries: (c) => [link("h", `${up}${c}/file`)] },
  {
    name: "HardlinkThroughSymlink",
    verdict: "refused",
    entries: (c) => [symlink("l", c), link("h", "l/file"), file("h")],
  },
  {
    name: "HardlinkThroughRelativeSymlink",
    verdict: "refused",
    entries: (c) => [symlink("l", `${up}${c}`), link("h", "l/file")],
  },
  {
    name: "HardlinkToSymlinkThenWrite",
    verdict: "contained",
    entries: (c) => [symlink("l", `${c}/file`), link("h", "l"), file("h")],
  },
  {
    name: "HardlinkSymlinkChmod",
    verdict: "contained",
    entries: (c) => [symlink("l", `${c}/file`), { ...link("h", "l"), mode: 0o777, uid: 4242, mtimeSeconds: 1 }],
  },
  {
    name: "HardlinkSymlinkDirectory",
    verdict: "contained",
    entries: (c) => [symlink("l", c), link("h", "l"), file("h/file"), file("h/new")],
  },
  { name: "HardlinkBeforeTarget", verdict: "refused", entries: () => [link("h", "t"), file("t")] },
  { name: "HardlinkToDirectory", verdict: "refused", entries: () => [dir("d"), link("h", "d")] },
  { name: "HardlinkToRoot", verdict: "refused", entries: () => [link("h", "/")] },
  { name: "HardlinkToItself", verdict: "contained", entries: () => [file("f"), link("f", "f")] },
  {
    name: "DirectoryOverrideSymlink",
    verdict: "contained",
    entries: (c) => [symlink("l", c), dir("l", { mode: 0o777, uid: 4242 }), file("l/file")],
  },
  {
    name: "DirectoryOverrideSymlinkAndHardlink",
    verdict: "contained",
    entries: (c) => [symlink("l", c), link("h", "l"), dir("h", { uid: 4242 }), file("h/file"), file("l/file")],
  },
  { name: "WhiteoutRootParent", verdict: "refused", entries: () => [{ name: ".wh..." }] },
  { name: "WhiteoutRoot", verdict: "refused", entries: () => [{ name: ".wh.." }] },
  { name: "WhiteoutBare", verdict: "refused", entries: () => [{ name: ".wh." }] },
  { name: "WhiteoutCurrentDirectory", verdict: "refused", entries: () => [dir("etc"), { name: "etc/.wh.." }] },
  { name: "WhiteoutParent", verdict: "refused", entries: () => [dir("etc"), { name: "etc/.wh..." }] },
  { name: "WhiteoutDirectoryName", verdict: "refused", entries: () => [file(".wh.d/x")] },
  {
    name: "WhiteoutSymlink",
    verdict: "contained",
    below: (c) => [symlink("l", c)],
    entries: () => [{ name: ".wh.l" }],
  },
  {
    name: "WhiteoutSymlinkPath",
    verdict: "contained",
    below: (c) => [symlink("l", c)],
    entries: () => [{ name: "l/.wh.file" }, { name: "l/.wh..wh..opq" }],
  },
  {
    name: "WhiteoutOwnSymlinkPath",
    verdict: "contained",
    below: () => [file("x")],
    entries: (c) => [symlink("l", `${up}${c}`), { name: "l/.wh.file" }],
  },
  {
    name: "WhiteoutDeadSymlinkParent",
    verdict: "contained",
    below: () => [symlink("l", "/does/not/exist")],
    entries: () => [{ name: "l/.wh.file" }],
  },
  { name: "WhiteoutRelativePath", verdict: "refused", entries: (c) => [{ name: `d/../${up}${c}/.wh.file` }] },
  {
    name: "LowerSymlinkAbsolute",
    verdict: "contained",
    below: (c) => [symlink("l", c), symlink("m", `${up}${c}`)],
    entries: () => [file("l/file"), file("m/sub/file"), dir("m/sub", { uid: 4242, mode: 0o777 })],
  },
  {
    name: "LowerSymlinkHardlink",
    verdict: "refused",
    below: (c) => [symlink("l", c)],
    entries: () => [link("h", "l/file")],
  },
  {
    name: "LowerSymlinkHardlinkThenWrite",
    verdict: "contained",
    below: (c) => [symlink("l", c)],
    entries: () => [link("h", "l/file"), file("h")],
  },
  {
    name: "LowerSymlinkLoop",
    verdict: "refused",
    below: () => [symlink("a", "b"), symlink("b", "a")],
    entries: () => [file("a/x")],
  },
  {
    name: "LowerSymlinkIntoItself",
    verdict: "refused",
    below: () => [symlink("a", "a/b")],
    entries: () => [file("a/b/x")],
  },
  { name: "LowerFileAsDirectory", verdict: "refused", below: () => [file("a")], entries: () => [file("a/x")] },
  { name: "FileAsDirectory", verdict: "refused", entries: () => [file("a"), file("a/x")] },
  {
    name: "FifoAsDirectory",
    verdict: "refused",
    below: () => [{ name: "a", type: "fifo" }],
    entries: () => [file("a/x")],
  },
  {
    name: "FifoReplaced",
    verdict: "contained",
    entries: () => [{ name: "a", type: "fifo" }, file("a"), link("b", "a")],
  },
  {
    name: "OverlayWhiteoutDevice",
    verdict: "refused",
    entries: () => [{ name: "a", type: "character", device: { major: 0, minor: 0 } }],
  },
  {
    name: "DeviceOutOfRange",
    verdict: "refused",
    entries: () => [{ name: "a", type: "character", device: { major: 4096, minor: 0 } }],
  },
  {
    name: "CapabilityOfAnotherUser",
    verdict: "refused",
    entries: () => [
      {
        name: "a",
        xattrs: { "security.capability": Buffer.from(`01000003${"00".repeat(16)}e8030000`, "hex") },
      },
    ],
  },
  { name: "NameTooLong", verdict: "refused", entries: () => [file("n".repeat(256))] },
  { name: "PathTooLong", verdict: "refused", entries: () => [file(`${"a/".repeat(2048)}x`)] },
  { name: "PathTooDeep", verdict: "refused", entries: () => [file(`${"a/".repeat(1025)}x`)] },
  { name: "PaxPathWithNul", verdict: "refused", entries: () => [{ name: "a", pax: { path: "a\0b" } }] },
  {
    name: "SymlinkTargetTooLong",
    verdict: "refused",
    entries: () => [symlink("a", `${"b".repeat(300)}/c`), file("a/x")],
  },
];

describe.skipIf(cannotRun())("a layer never reaches outside its root", () => {
  let fixture: LayerFixture;
  let canary: string;
  let before: Map<string, ListedNode>;
  beforeAll(async () => {
    fixture = await LayerFixture.start();
    canary = mkdtempSync("/var/tmp/podling-test/canary-");
    mkdirSync(join(canary, "sub"), { mode: 0o700 });
    writeFileSync(join(canary, "file"), "untouched", { mode: 0o600 });
    writeFileSync(join(canary, "sub/file"), "untouched", { mode: 0o600 });
    symlinkSync("file", join(canary, "link"));
    before = listTree(canary);
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
    removeTreeNow(canary);
  });

  test.each(breakouts)("$name: $verdict", async ({ entries, verdict, below }) => {
    const layers = [...(below === undefined ? [] : [below(canary)]), entries(canary)];
    const outcome = await fixture.apply(layers.map(writeTar)).then(
      () => "contained",
      (error: unknown) => (hasCode(error, "InvalidArgument") ? "refused" : String(error)),
    );
    expect(outcome).toBe(verdict);
    expect(listTree(canary)).toEqual(before);
    expect(fixture.leftovers()).toEqual([]);
  });
});

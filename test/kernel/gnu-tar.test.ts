import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { snapshotForms } from "../../src/images/snapshot-form.ts";
import { setXattr } from "../../src/system/extended-attributes.ts";
import { removeTreeNow } from "../../src/system/remove-tree.ts";
import {
  closeFd,
  createFileAt,
  makeDirectoryAt,
  makeLinkAt,
  makeNodeAt,
  makeSymlinkAt,
  openAt,
  openRoot,
  setMode,
  setOwner,
  setTimes,
  setTimesAt,
  writeAll,
} from "../../src/system/root-directory.ts";
import { LayerFixture } from "../images/layer-fixture.ts";
import { listTree } from "../images/tree-listing.ts";
import { outputBytes } from "../support/command.ts";
import { cannotRun } from "../support/requirements.ts";

/** What of a tree each of GNU tar's formats can hold. */
const formats = [
  { format: "posix", name: 255, path: 1500, owner: 4_000_000_000, nanoseconds: 123_456_789, xattrs: true },
  { format: "gnu", name: 255, path: 1500, owner: 4_000_000_000, nanoseconds: 0, xattrs: false },
  { format: "oldgnu", name: 255, path: 1500, owner: 4_000_000_000, nanoseconds: 0, xattrs: false },
  { format: "ustar", name: 90, path: 220, owner: 2_000_000, nanoseconds: 0, xattrs: false },
  { format: "v7", name: 90, path: 90, owner: 2_000_000, nanoseconds: 0, xattrs: false },
] as const;

describe.skipIf(cannotRun("tar")).each(snapshotForms)("archives that GNU tar writes, as %s,", (form) => {
  let fixture: LayerFixture;
  let scratch: string;
  beforeAll(async () => {
    fixture = await LayerFixture.start({ form });
    scratch = mkdtempSync("/var/tmp/podling-test/gnu-tar-");
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
    removeTreeNow(scratch);
  });

  test.each(formats)("come out as the tree they were made of: $format", async (shape) => {
    const tree = join(scratch, shape.format);
    makeTree(tree, shape);
    const xattrs = shape.xattrs ? ["--xattrs", "--xattrs-include=*"] : [];
    const tar = await outputBytes(["tar", "-cf", "-", `--format=${shape.format}`, ...xattrs, "-C", tree, "."]);
    const top = await fixture.apply([tar], "zstd");
    const [directory = ""] = fixture.snapshots.lowerDirectories(top);
    expect(listTree(directory)).toEqual(listTree(tree));
  });

  test.each(["posix", "gnu"])("are refused with sparse files: %s", async (format) => {
    const tree = join(scratch, `sparse-${format}`);
    mkdirSync(tree);
    writeFileSync(join(tree, "sparse"), "start");
    truncateSync(join(tree, "sparse"), 10_000_000);
    const tar = await outputBytes(["tar", "-cSf", "-", `--format=${format}`, "-C", tree, "."]);
    await expect(fixture.stage(fixture.job(tar))).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(fixture.leftovers()).toEqual([]);
  });
});

/** A tree with what tells formats apart: long and foreign names, large ids, odd times, links, nodes, attributes. */
function makeTree(path: string, shape: (typeof formats)[number]): void {
  mkdirSync(path);
  const root = openRoot(path);
  const seconds = 1_600_000_000;
  const file = (dirFd: number, name: string, body: string, mode = 0o640) => {
    const fd = createFileAt(dirFd, name);
    if (fd === undefined) throw new Error(`"${name}" is there already`);
    writeAll(fd, Buffer.from(body));
    setOwner(fd, shape.owner, shape.owner - 1);
    if (shape.xattrs) setXattr(fd, "user.note", Buffer.from([0, 1, 0x0a, 0xff]));
    setMode(fd, mode);
    setTimes(fd, seconds, shape.nanoseconds);
    closeFd(fd);
  };
  file(root, "plain", "content", 0o6755);
  file(root, "latin1 \xe9\xff", "bytes that are no UTF-8");
  file(root, 'line\nbreak "quotes" \\', "");
  file(root, "n".repeat(shape.name), "x".repeat(100_000));
  makeLinkAt(root, "plain", root, "hard link");
  makeSymlinkAt(root, "link", "t".repeat(shape.path === 1500 ? 4000 : shape.name));
  setTimesAt(root, "link", seconds, shape.nanoseconds);
  if (shape.format !== "v7") {
    makeNodeAt(root, "fifo", "fifo", { major: 0, minor: 0 });
    makeNodeAt(root, "device", "block", { major: 259, minor: 70_000 });
    for (const name of ["fifo", "device"]) setTimesAt(root, name, seconds, shape.nanoseconds);
  }
  let directory = root;
  const opened = [root];
  for (let length = 2; length + 60 < shape.path; length += 51) {
    makeDirectoryAt(directory, "d".repeat(50), 0o711);
    directory = openAt(directory, "d".repeat(50), "read");
    opened.push(directory);
  }
  file(directory, "deep", "at the end");
  for (const fd of opened.toReversed()) {
    setTimes(fd, seconds, shape.nanoseconds);
    closeFd(fd);
  }
}

import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeTreeNow } from "../../src/system/remove-tree.ts";

describe("removeTreeNow()", () => {
  let directory = "";
  let tree = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-tree-"));
    tree = join(directory, "tree");
    mkdirSync(tree);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test("removes names of any bytes and does not follow links", () => {
    writeFileSync(join(directory, "outside"), "kept");
    mkdirSync(join(directory, "elsewhere"));
    writeFileSync(join(directory, "elsewhere/file"), "kept");
    symlinkSync(join(directory, "outside"), join(tree, "link"));
    symlinkSync(join(directory, "elsewhere"), join(tree, "directory-link"));
    writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.of(0xff, 0xfe, 0x0a)]), "");
    mkdirSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.of(0xc3, 0x28)]));
    removeTreeNow(tree);
    expect(readdirSync(directory).toSorted()).toEqual(["elsewhere", "outside"]);
    expect(readdirSync(join(directory, "elsewhere"))).toEqual(["file"]);
  });

  test("removes what no path could name: 3,000 directories in each other, beside names it would move them to", () => {
    writeFileSync(join(tree, ".removed-0"), "");
    mkdirSync(join(tree, ".removed-1"));
    writeFileSync(join(tree, ".removed-1/full"), "");
    const home = process.cwd();
    try {
      process.chdir(tree);
      for (let depth = 0; depth < 3_000; depth++) {
        mkdirSync("deep");
        writeFileSync("file", "");
        process.chdir("deep");
      }
    } finally {
      process.chdir(home);
    }
    removeTreeNow(tree);
    expect(existsSync(tree)).toBe(false);
  });

  test("counts what is gone, or whose parent is, as done; a link is removed and not followed", () => {
    removeTreeNow(join(tree, "none"));
    removeTreeNow(join(tree, "none/below"));
    symlinkSync(tree, join(directory, "link"));
    removeTreeNow(join(directory, "link"));
    expect(() => lstatSync(join(directory, "link"))).toThrow("ENOENT");
    expect(existsSync(tree)).toBe(true);
  });
});

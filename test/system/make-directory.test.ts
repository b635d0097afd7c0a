import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { makeDirectory } from "../../src/system/make-directory.ts";

describe("makeDirectory()", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "podling-mkdir-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  test("makes what is missing, with the mode, and accepts what is there", async () => {
    const path = join(root, "a/b/c");
    await makeDirectory(path, 0o700);
    await makeDirectory(path, 0o755);
    expect([join(root, "a"), path].map((one) => statSync(one).mode & 0o777)).toEqual([0o700, 0o700]);
  });

  test("refuses a parent that is a file", async () => {
    writeFileSync(join(root, "file"), "");
    await expect(makeDirectory(join(root, "file/sub"), 0o700)).rejects.toThrow(
      expect.objectContaining({ code: "ENOTDIR" }),
    );
  });

  test.each(["/proc/no", "/proc/no/such/directory"])("ends where the kernel makes no directories: %s", async (path) => {
    await expect(makeDirectory(path, 0o700)).rejects.toThrow(expect.objectContaining({ code: "ENOENT" }));
  });
});

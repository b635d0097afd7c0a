import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkWorkingDirectory, resolveInRootfs } from "../../src/runtime/path-in-rootfs.ts";

let rootfs = "";
beforeAll(() => {
  rootfs = mkdtempSync(join(tmpdir(), "podling-path-"));
  mkdirSync(join(rootfs, "real/dir"), { recursive: true });
  writeFileSync(join(rootfs, "real/file"), "");
  symlinkSync("/real", join(rootfs, "absolute"));
  symlinkSync("../../../../real", join(rootfs, "real/up"));
  symlinkSync("/proc/self/fd/7", join(rootfs, "leak"));
  symlinkSync("absolute/../leak", join(rootfs, "hidden"));
  symlinkSync("loop", join(rootfs, "loop"));
});
afterAll(() => rmSync(rootfs, { recursive: true, force: true }));

describe("resolveInRootfs()", () => {
  test.each([
    ["/", "/"],
    ["/real/./dir//", "/real/dir"],
    ["/absolute/dir", "/real/dir"],
    ["/real/up/dir", "/real/dir"],
    ["/../../etc", "/etc"],
    ["/missing/../real", "/real"],
    ["/real/file/below", "/real/file/below"],
    ["/leak", "/proc/self/fd/7"],
    ["/hidden/x", "/proc/self/fd/7/x"],
  ])("%s leads to %s", (path, want) => {
    expect(resolveInRootfs(rootfs, path)).toBe(want);
  });

  test("gives up on links that don't end", () => {
    expect(() => resolveInRootfs(rootfs, "/loop")).toThrow("more than 40 links");
  });
});

test.each(["/leak", "/hidden", "/proc", "/proc/1"])("checkWorkingDirectory() refuses %s", (cwd) => {
  expect(() => checkWorkingDirectory(rootfs, cwd)).toThrow(`Invalid working_dir "${cwd}"`);
});

test("checkWorkingDirectory() takes what is missing", () => {
  expect(() => checkWorkingDirectory(rootfs, "/srv/app")).not.toThrow();
});

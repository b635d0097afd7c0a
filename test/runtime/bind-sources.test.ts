import { mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveBindSources } from "../../src/runtime/bind-sources.ts";

describe("resolveBindSources()", () => {
  let directory = "";
  beforeEach(() => {
    directory = realpathSync(mkdtempSync(join(tmpdir(), "podling-bind-")));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const bind = (hostPath: string) =>
    ({ hostPath, containerPath: "/x", readonly: false, propagation: "private" }) as const;

  test("follows links of the host and makes a directory where there is nothing", async () => {
    mkdirSync(join(directory, "real"));
    symlinkSync(join(directory, "real"), join(directory, "link"));
    const paths = [join(directory, "link"), join(directory, "new/deep")];
    expect([...(await resolveBindSources(paths.map(bind)))]).toEqual([
      [paths[0], { path: join(directory, "real"), propagation: "private" }],
      [paths[1], { path: paths[1], propagation: "private" }],
    ]);
    expect(statSync(paths[1] ?? "").isDirectory()).toBe(true);
  });

  test("names the mount that can't be used", async () => {
    writeFileSync(join(directory, "file"), "");
    const path = join(directory, "file/below");
    await expect(resolveBindSources([bind(directory), bind(path)])).rejects.toThrow(
      `Can't use mounts[1].host_path ${JSON.stringify(path)}`,
    );
    symlinkSync(join(directory, "gone"), join(directory, "dangling"));
    await expect(resolveBindSources([bind(join(directory, "dangling"))])).rejects.toThrow(
      "Can't use mounts[0].host_path",
    );
  });
});

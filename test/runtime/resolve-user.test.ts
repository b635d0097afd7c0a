import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { resolveUser } from "../../src/runtime/resolve-user.ts";
import { output } from "../support/command.ts";

const request = { supplementalGroups: [], supplementalGroupsPolicy: "merge" } as const;

describe("resolveUser()", () => {
  let rootfs = "";
  beforeEach(() => {
    rootfs = mkdtempSync(join(tmpdir(), "podling-user-"));
    mkdirSync(join(rootfs, "etc"));
  });
  afterEach(() => rmSync(rootfs, { recursive: true, force: true }));

  test("reads the image's accounts, through links inside the image", () => {
    mkdirSync(join(rootfs, "store"));
    writeFileSync(join(rootfs, "store/passwd"), "app:x:12:34::/:/bin/sh\n");
    writeFileSync(join(rootfs, "etc/group"), "extra:x:56:app\n");
    symlinkSync("/store/passwd", join(rootfs, "etc/passwd"));
    expect(resolveUser(rootfs, request, "app")).toEqual({ uid: 12, gid: 34, supplementalGroups: [34, 56] });
  });

  test("never reads the host's accounts", () => {
    symlinkSync("../../../../../../../../etc/passwd", join(rootfs, "etc/passwd"));
    expect(() => resolveUser(rootfs, request, "root")).toThrow("Can't read /etc/passwd of the image");
    rmSync(join(rootfs, "etc"), { recursive: true });
    symlinkSync("/etc", join(rootfs, "etc"));
    expect(() => resolveUser(rootfs, request, "root")).toThrow("of the image");
  });

  test("takes an image without accounts", () => {
    rmSync(join(rootfs, "etc"), { recursive: true });
    expect(resolveUser(rootfs, request, "7")).toEqual({ uid: 7, gid: 0, supplementalGroups: [0] });
  });

  test("neither waits for a FIFO nor reads a file without end", async () => {
    await output(["mkfifo", join(rootfs, "etc/passwd")]);
    expect(() => resolveUser(rootfs, request, "app")).toThrow("must be a regular file");
    rmSync(join(rootfs, "etc/passwd"));
    writeFileSync(join(rootfs, "etc/passwd"), "");
    truncateSync(join(rootfs, "etc/passwd"), 10 * 1024 * 1024 + 1);
    expect(() => resolveUser(rootfs, request, "app")).toThrow("at most 10485760 bytes");
  });
});

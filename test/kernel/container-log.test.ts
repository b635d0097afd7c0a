import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLog } from "../../src/common/log.ts";
import { ContainerLog } from "../../src/runtime/container-log.ts";

const silent = createLog("silent");

describe("ContainerLog", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-log-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test("refuses a device", async () => {
    const path = join(directory, "0.log");
    execFileSync("mknod", [path, "c", "1", "3"]);
    await expect(ContainerLog.open(path, silent)).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  test("on a full disk drops whole records, and goes on when there is room", async () => {
    const disk = join(directory, "disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]);
    try {
      writeFileSync(join(disk, "filler"), Buffer.alloc(20_000));
      const file = join(disk, "0.log");
      const log = await ContainerLog.open(file, silent);
      // Longer than what is left, and no divisor of a page.
      const record = `${"r".repeat(998)}\n`;
      log.append(Buffer.from(record.repeat(100)));
      await log.flush();
      expect(log.counters.droppedBytes).toBeGreaterThan(0);
      expect(readFileSync(file, "utf8").replaceAll(record, "")).toBe("");
      rmSync(join(disk, "filler"));
      log.append(Buffer.from("after\n"));
      await log.close();
      expect(readFileSync(file, "utf8").replaceAll(record, "")).toBe("after\n");
    } finally {
      execFileSync("umount", [disk]);
    }
  });
});

import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLog } from "../../src/common/log.ts";
import { ContainerLog } from "../../src/runtime/container-log.ts";
import { makeFifo } from "../../src/runtime/fifo.ts";

const silent = createLog("silent");

describe("ContainerLog", () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-log-"));
    path = join(directory, "pod/c/0.log");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test("makes the file with its directories, and appends to it", async () => {
    const log = await ContainerLog.open(path, silent);
    expect(statSync(path).mode & 0o777).toBe(0o640);
    log.append(Buffer.from("one\n"));
    log.append(Buffer.from("two\n"));
    await log.close();
    const again = await ContainerLog.open(path, silent);
    again.append(Buffer.from("three\n"));
    await again.close();
    expect(readFileSync(path, "utf8")).toBe("one\ntwo\nthree\n");
    expect(again.counters).toEqual({ writtenBytes: 6, droppedBytes: 0, failedWrites: 0 });
  });

  test("without a path discards, never refusing", async () => {
    const log = await ContainerLog.open("", silent);
    expect(log.append(Buffer.alloc(4 << 20))).toBe(true);
    await log.reopen();
    await log.close();
  });

  test("asks its caller to wait when it is behind, and says when to go on", async () => {
    const log = await ContainerLog.open(path, silent);
    let drained = 0;
    log.onDrain(() => drained++);
    expect(log.append(Buffer.alloc(1 << 19, 10))).toBe(true);
    expect(log.append(Buffer.alloc(1 << 20, 10))).toBe(false);
    await log.flush();
    expect(drained).toBeGreaterThan(0);
    expect(log.append(Buffer.from("x\n"))).toBe(true);
    await log.close();
  });

  test("reopen() under load splits no record and loses none", async () => {
    const log = await ContainerLog.open(path, silent);
    const want: string[] = [];
    const rotated: string[] = [];
    for (let round = 0; round < 20; round++) {
      for (let line = 0; line < 200; line++) {
        want.push(`record ${round} ${line}`);
        log.append(Buffer.from(`record ${round} ${line}\n`));
      }
      rotated.push(`${path}.${round}`);
      renameSync(path, `${path}.${round}`);
      await Promise.all([log.reopen(), log.reopen()]);
    }
    await log.close();
    const text = [...rotated, path].map((file) => readFileSync(file, "utf8"));
    expect(text.every((part) => part === "" || part.endsWith("\n"))).toBe(true);
    expect(text.join("").split("\n").slice(0, -1)).toEqual(want);
  });

  test("reopen() that fails leaves the old file in use", async () => {
    const log = await ContainerLog.open(path, silent);
    const old = `${path}.old`;
    renameSync(path, old);
    mkdirSync(path);
    await expect(log.reopen()).rejects.toMatchObject({ code: "SystemFailure" });
    log.append(Buffer.from("still here\n"));
    await log.close();
    expect(readFileSync(old, "utf8")).toBe("still here\n");
  });

  test.each(["/proc/no/such/0.log", "/proc/self/status/0.log"])(
    "open() refuses a directory like that of %s",
    async (path) => {
      await expect(ContainerLog.open(path, silent)).rejects.toMatchObject({ code: "SystemFailure" });
    },
  );

  const bad: ReadonlyArray<readonly [what: string, make: (path: string) => void, code: string]> = [
    ["a symbolic link", (at) => symlinkSync("/etc/passwd", at), "SystemFailure"],
    ["a FIFO", (at) => makeFifo(at), "SystemFailure"],
    ["a directory", (at) => mkdirSync(at), "SystemFailure"],
  ];
  test.each(bad)("open() refuses %s", async (_, make, code) => {
    mkdirSync(join(path, ".."), { recursive: true });
    make(path);
    await expect(ContainerLog.open(path, silent)).rejects.toMatchObject({ code });
  });
});

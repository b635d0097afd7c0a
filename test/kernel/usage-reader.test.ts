import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { UsageReader } from "../../src/runtime/usage-reader.ts";
import { measureTree } from "../../src/system/tree-usage.ts";
import { cannotRun } from "../support/requirements.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "podling-tree-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const measure = (path: string) => {
  const steps = measureTree(path);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
};
const du = (...args: readonly string[]) =>
  Number(
    execFileSync("du", ["-s", ...args, directory])
      .toString()
      .split("\t")[0],
  );

describe("measureTree()", () => {
  test("says what du says: hard links once, links not followed, holes not counted, any bytes in a name", () => {
    mkdirSync(join(directory, "a/b/c"), { recursive: true });
    writeFileSync(join(directory, "a/file"), Buffer.alloc(100_000));
    linkSync(join(directory, "a/file"), join(directory, "a/b/again"));
    symlinkSync("/usr", join(directory, "a/b/usr"));
    symlinkSync("loop", join(directory, "loop"));
    writeFileSync(join(directory, "hole"), "");
    truncateSync(join(directory, "hole"), 1 << 30);
    writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), Buffer.from([0xff, 0xfe, 0x0a])]), "x");
    expect(measure(directory)).toEqual({ usedBytes: du("--block-size=512") * 512, inodes: du("--inodes") });
  });

  test.skipIf(cannotRun("mount"))("stays on its file system, as overlay's own accounting does", () => {
    mkdirSync(join(directory, "mnt"));
    const before = measure(directory);
    execFileSync("mount", ["-t", "tmpfs", "none", join(directory, "mnt")]);
    try {
      writeFileSync(join(directory, "mnt/file"), Buffer.alloc(1_000_000));
      expect(measure(directory)?.usedBytes).toBeLessThan((before?.usedBytes ?? 0) + 10_000);
    } finally {
      execFileSync("umount", [join(directory, "mnt")]);
    }
  });

  test("knows nothing of what isn't there, and leaves no directory open when it is given up", () => {
    expect(measure(join(directory, "none"))).toBeUndefined();
    mkdirSync(join(directory, "a/b/c/d"), { recursive: true });
    const steps = measureTree(directory);
    steps.next();
    steps.return(undefined);
    expect(steps.next().done).toBe(true);
  });
});

describe.skipIf(cannotRun("ip"))("UsageReader", () => {
  test("reads what is there beside what isn't, and walks beside both", async () => {
    await using reader = new UsageReader();
    const walk = reader.measure(directory);
    const { groups, links } = await reader.read(
      [
        { path: "/podling-none", detail: "usage" },
        { path: "/../etc", detail: "usage" },
      ],
      ["/run/netns/podling-none", "/proc/self/ns/net", "/etc/passwd"],
    );
    expect(groups).toEqual([{ value: undefined }, { error: expect.stringContaining("absolute path below the root") }]);
    expect(links).toEqual([
      { error: expect.stringContaining("open network namespace") },
      { value: expect.arrayContaining([expect.objectContaining({ name: "lo" })]) },
      { error: expect.stringContaining("EINVAL") },
    ]);
    expect(await walk).toMatchObject({ inodes: 1 });
    await expect(reader.measure("/proc/self/fd/../fdinfo/0")).resolves.toBeUndefined();
  });

  test("fails what a thread that ends had in hand, and starts another for the next", async () => {
    const crash = new URL(
      `data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",()=>process.exit(3))`,
    );
    await using reader = new UsageReader(crash);
    await expect(reader.read([])).rejects.toMatchObject({ code: "Unavailable" });
    await expect(reader.read([])).rejects.toMatchObject({ code: "Unavailable" });
  });

  test("refuses more questions than can wait", async () => {
    const deaf = new URL(
      `data:text/javascript,import{parentPort}from"node:worker_threads";parentPort.on("message",()=>0)`,
    );
    const reader = new UsageReader(deaf);
    const waiting = Array.from({ length: 256 }, () => reader.measure("/").catch((error: unknown) => error));
    await expect(reader.read([])).rejects.toMatchObject({ code: "ResourceExhausted" });
    await reader[Symbol.asyncDispose]();
    expect(await Promise.all(waiting)).toContainEqual(expect.objectContaining({ code: "Unavailable" }));
    await expect(reader.read([])).rejects.toMatchObject({ code: "Unavailable" });
  });
});

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BlockingWorkers } from "../../src/system/blocking-workers.ts";
import { eventually } from "../support/eventually.ts";

const main = pathToFileURL(join(import.meta.dirname, "../../src/system/blocking-worker-main.ts"));

describe("BlockingWorkers", () => {
  let directory = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "podling-blocking-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** Threads that stand still at a removal of "stuck-…" until its gate file is gone, as in a system call. */
  function stuckable(mostThreads: number): BlockingWorkers {
    const script = `
      import { parentPort } from "node:worker_threads";
      import { existsSync, writeFileSync } from "node:fs";
      parentPort.on("message", ({ command: { path = "" } }) => {
        if (!path.includes("stuck-")) return;
        writeFileSync(path + ".entered", "");
        while (existsSync(path + ".gate")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      });
      await import(${JSON.stringify(main.href)});`;
    return new BlockingWorkers(mostThreads, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
  }

  const remove = (name: string) => ({ kind: "removeTree", path: join(directory, name) }) as const;

  test("what is stuck holds up neither other work nor, once joined by its retries, a second thread", async () => {
    const workers = stuckable(2);
    writeFileSync(join(directory, "stuck-1.gate"), "");
    mkdirSync(join(directory, "stuck-1"));
    mkdirSync(join(directory, "free/below"), { recursive: true });
    const stuck = [1, 2, 3].map(() => workers.run(remove("stuck-1")));
    await eventually("the thread to stand still", () => existsSync(join(directory, "stuck-1.entered")));
    await workers.run(remove("free"));
    expect(readdirSync(directory).toSorted()).toEqual(["stuck-1", "stuck-1.entered", "stuck-1.gate"]);
    rmSync(join(directory, "stuck-1.gate"));
    await Promise.all(stuck);
    expect(existsSync(join(directory, "stuck-1"))).toBe(false);
  });

  test("beyond its threads it queues, and goes on when one is free", async () => {
    const workers = stuckable(1);
    writeFileSync(join(directory, "stuck-1.gate"), "");
    mkdirSync(join(directory, "later"));
    const stuck = workers.run(remove("stuck-1"));
    const later = workers.run(remove("later"));
    await eventually("the thread to stand still", () => existsSync(join(directory, "stuck-1.entered")));
    expect(existsSync(join(directory, "later"))).toBe(true);
    rmSync(join(directory, "stuck-1.gate"));
    await Promise.all([stuck, later]);
    expect(existsSync(join(directory, "later"))).toBe(false);
  });

  test("errors name the step, and a thread that ends fails what it had in hand only", async () => {
    const script = `
      import { parentPort } from "node:worker_threads";
      parentPort.on("message", ({ command }) => { if (command.path?.endsWith("doom")) process.exit(3); });
      await import(${JSON.stringify(main.href)});`;
    const workers = new BlockingWorkers(1, new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    await expect(workers.run(remove("doom"))).rejects.toThrow("A blocking worker ended with code 3");
    mkdirSync(join(directory, "free"));
    await workers.run(remove("free"));
    expect(readdirSync(directory)).toEqual([]);
    await expect(workers.run({ kind: "removeTree", path: "/proc/self/fdinfo" })).rejects.toMatchObject({
      errno: "ENOTDIR",
    });
    // No mount point, and nothing there at all: nothing to do.
    await workers.run({ kind: "unmount", target: directory, flags: 0 });
    await workers.run({ kind: "unmount", target: join(directory, "none"), flags: 0 });
  });
});

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { SystemError } from "../../src/common/errors.ts";
import { KernelWorker } from "../../src/system/kernel-worker.ts";
import { listMounts } from "../../src/system/mountinfo.ts";
import { prepareNetnsDirectory } from "../../src/system/netns-directory.ts";

const main = pathToFileURL(join(import.meta.dirname, "../../src/system/kernel-worker-main.ts"));

describe("KernelWorker", () => {
  test("a worker that ends fails what it had in hand, and the next request starts another", async () => {
    const directory = mkdtempSync(join(tmpdir(), "podling-worker-"));
    const doom = join(directory, "doom");
    writeFileSync(doom, "");
    const script = `
      import { existsSync, rmSync } from "node:fs";
      if (existsSync(${JSON.stringify(doom)})) { rmSync(${JSON.stringify(doom)}); process.exit(3); }
      await import(${JSON.stringify(main.href)});`;
    await using kernel = new KernelWorker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
    const failures = await Promise.allSettled([kernel.listLinks(""), kernel.listRoutes("")]);
    for (const failure of failures) {
      expect(failure).toMatchObject({ status: "rejected", reason: expect.any(SystemError) });
      expect(failure.status === "rejected" && failure.reason.message).toBe(
        "The kernel worker ended with code 3 before it answered",
      );
    }
    expect(existsSync(doom)).toBe(false);
    expect((await kernel.listLinks("")).map(({ name }) => name)).toContain("lo");
    rmSync(directory, { recursive: true });
  });

  test("once closed it refuses work, and closing again is done", async () => {
    const kernel = new KernelWorker();
    const answered = kernel.listLinks("");
    await kernel[Symbol.asyncDispose]();
    await kernel[Symbol.asyncDispose]();
    expect(await answered).not.toEqual([]);
    await expect(kernel.listLinks("")).rejects.toThrow("closed");
  });

  test("requests are answered in order, however many are under way", async () => {
    await using kernel = new KernelWorker();
    const order: number[] = [];
    await Promise.all(Array.from({ length: 50 }, (_, index) => kernel.listLinks("").then(() => order.push(index))));
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });
});

describe("prepareNetnsDirectory()", () => {
  test("makes one shared mount, however often it is called", () => {
    for (let call = 0; call < 3; call++) prepareNetnsDirectory();
    const mounts = listMounts().filter(({ target }) => target === "/run/netns");
    expect(mounts).toHaveLength(1);
    expect(mounts[0]?.propagation).toEqual([expect.stringMatching(/^shared:/)]);
  });
});

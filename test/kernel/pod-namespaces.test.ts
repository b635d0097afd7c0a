import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { PinnedNamespaces } from "../../src/runtime/pod-namespaces.ts";
import { KernelWorker } from "../../src/system/kernel-worker.ts";

const name = `nt${randomBytes(5).toString("hex")}`;
const directory = mkdtempSync(join(tmpdir(), "podling-ns-"));
const kernel = new KernelWorker();
const namespaces = new PinnedNamespaces(kernel);
const paths = { net: `/run/netns/${name}`, ipc: join(directory, "ns/ipc"), uts: join(directory, "ns/uts") };

afterAll(async () => {
  await namespaces.remove(paths);
  await kernel[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

describe("PinnedNamespaces", () => {
  test("create() pins namespaces that are new, named and have a loopback", async () => {
    const home = ["net", "ipc", "uts"].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
    await namespaces.create(paths, "web-0");
    const inside = execFileSync(
      "nsenter",
      [
        `--net=${paths.net}`,
        `--ipc=${paths.ipc}`,
        `--uts=${paths.uts}`,
        "sh",
        "-c",
        "hostname; readlink /proc/self/ns/*; ip -br link",
      ],
      { encoding: "utf8" },
    );
    expect(inside).toMatch(/^web-0\n/);
    expect(inside).toMatch(/lo +UNKNOWN/);
    for (const identity of home) expect(inside).not.toContain(identity);
    expect(execFileSync("ip", ["netns", "list"], { encoding: "utf8" })).toContain(name);
  });

  test("the process and its other threads stay where they were", async () => {
    const before = ["net", "ipc", "uts"].map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
    const other = { net: `/run/netns/${name}x` };
    await namespaces.create(other, "");
    await namespaces.remove(other);
    expect(["net", "ipc", "uts"].map((kind) => readlinkSync(`/proc/self/ns/${kind}`))).toEqual(before);
    const tasks = execFileSync("sh", ["-c", `readlink /proc/${process.pid}/task/*/ns/net | sort -u`], {
      encoding: "utf8",
    });
    expect(tasks.trim()).toBe(before[0]);
  });

  test("create() refuses a path that is taken, and leaves what is there", async () => {
    await expect(namespaces.create(paths, "again")).rejects.toMatchObject({ code: "SystemFailure" });
    expect(execFileSync("nsenter", [`--uts=${paths.uts}`, "hostname"], { encoding: "utf8" })).toBe("web-0\n");
  });

  test("a failure half-way leaves no pin", async () => {
    const half = { net: `/run/netns/${name}h`, uts: join(directory, "uts2") };
    await expect(namespaces.create(half, "x".repeat(65))).rejects.toThrow("Cannot make the pod's namespaces");
    expect([half.net, half.uts].filter((path) => existsSync(path))).toEqual([]);
  });

  test("remove() is done when nothing is left, however little there was", async () => {
    writeFileSync(join(directory, "plain"), "");
    await namespaces.remove({ net: join(directory, "plain") });
    await namespaces.remove(paths);
    await namespaces.remove(paths);
    expect(Object.values(paths).filter((path) => existsSync(path))).toEqual([]);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(name);
  });
});

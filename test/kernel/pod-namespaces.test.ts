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

  const readInside = (...files: readonly string[]) =>
    execFileSync("nsenter", [`--net=${paths.net}`, `--ipc=${paths.ipc}`, "cat", ...files], { encoding: "utf8" });

  test("any user may ping and listen on low ports in them", () => {
    const net = "/proc/sys/net/ipv4";
    expect(readInside(`${net}/ip_unprivileged_port_start`, `${net}/ping_group_range`)).toBe("0\n0\t2147483647\n");
  });

  test("setSysctls() sets kernel parameters there alone, and says which one the kernel does not take", async () => {
    const file = "/proc/sys/kernel/shm_rmid_forced";
    const before = readFileSync(file, "utf8");
    await namespaces.setSysctls(paths, {
      "kernel.shm_rmid_forced": before === "1\n" ? "0" : "1",
      "net.core.somaxconn": "77",
    });
    expect(readInside("/proc/sys/net/core/somaxconn")).toBe("77\n");
    expect(readInside(file)).not.toBe(before);
    expect(readFileSync(file, "utf8")).toBe(before);
    for (const [name, value] of Object.entries({ "net.core.none": "1", "net.core.somaxconn": "many" })) {
      await expect(namespaces.setSysctls(paths, { [name]: value })).rejects.toMatchObject({
        code: "InvalidArgument",
        message: expect.stringContaining(`sysctl "${name}"`),
      });
    }
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

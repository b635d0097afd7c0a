import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { Cgroups } from "../../src/runtime/cgroups.ts";
import { cgroupDirectories } from "../../src/system/cgroup.ts";
import { cannotRun } from "../support/requirements.ts";

describe.skipIf(cannotRun())("Cgroups", () => {
  const cgroups = new Cgroups();
  const made: string[] = [];

  afterEach(async () => {
    for (const path of made.splice(0)) {
      await cgroups.kill(path);
      await cgroups.remove(path);
    }
  });

  function newGroup(child = ""): string {
    const path = `/podling-cg-${randomBytes(4).toString("hex")}`;
    made.push(path);
    cgroups.create(`${path}${child}`);
    return path;
  }

  /** Starts a process in one tree's group; in the others it stays where the test runs. */
  async function startIn(path: string, script: string) {
    const tree = cgroups.layout.kind === "v2" ? cgroups.layout.trees[0] : cgroups.layout.treeOf.get("freezer");
    const child = spawn("/bin/sh", ["-c", `read go; ${script}`], { stdio: ["pipe", "ignore", "ignore"] });
    writeFileSync(`${tree}${path}/cgroup.procs`, String(child.pid));
    child.stdin.end("go\n");
    return child;
  }

  test("make a group in every tree and remove it with all below it, twice", async () => {
    const path = newGroup("/a/b");
    const directories = cgroupDirectories(cgroups.layout, `${path}/a/b`);
    expect(directories.every((directory) => existsSync(directory))).toBe(true);
    await cgroups.remove(path);
    await cgroups.remove(path);
    expect(cgroupDirectories(cgroups.layout, path).some((directory) => existsSync(directory))).toBe(false);
  });

  test("kill whatever runs below a group, though it forks and ignores SIGTERM", async () => {
    const path = newGroup("/child");
    const child = await startIn(`${path}/child`, "trap '' TERM; while :; do sleep 5 & sleep 0.01; done");
    const exited = once(child, "exit");
    expect(cgroups.pids(path)).toContain(child.pid);
    await cgroups.kill(path);
    expect(cgroups.pids(path)).toEqual([]);
    expect((await exited)[1]).toBe("SIGKILL");
    await cgroups.remove(path);
  });

  test("say that a group is busy when it can't be removed in time", async () => {
    const path = newGroup();
    await startIn(path, "sleep 1000");
    await expect(cgroups.remove(path, 50)).rejects.toThrow(`Can't remove the cgroup "${path}"`);
  });

  test("count no OOM kill in a group that is new or gone, nor processes in one that is gone", async () => {
    expect(cgroups.oomKills(newGroup())).toBe(0);
    expect(cgroups.oomKills("/podling-cg-never")).toBe(0);
    expect(cgroups.pids("/podling-cg-never")).toEqual([]);
    await cgroups.kill("/podling-cg-never");
  });

  test.each(["/", "", "relative", "/a/../..", "/./a", "/a\0b"])("refuse the path %j", async (path) => {
    await expect(cgroups.remove(path)).rejects.toThrow("Can't remove the cgroup");
    expect(() => cgroups.create(path)).toThrow("Can't make the cgroup");
  });
});

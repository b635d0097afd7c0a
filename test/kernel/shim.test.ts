import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { newId } from "../../src/common/ids.ts";
import { ContainerIo } from "../../src/runtime/container-io.ts";
import { findShims } from "../../src/runtime/shim-process.ts";
import { isAlive, readProcessStat } from "../../src/system/process.ts";
import { eventually } from "../support/eventually.ts";
import { shimRuntimes } from "../support/shim-runtimes.ts";
import { readLog, TestPod } from "../support/test-pod.ts";

const SIGTERM = 15;
const SIGKILL = 9;

/** @returns the signal that ended the launching process */
function launchAndDie(pod: TestPod, name: string): Promise<string | null> {
  const { namespace, directory, id, bundle, handler } = pod;
  const deps = { namespace, eventsAddress: join(directory, "events.sock"), runtimeRoot: join(directory, "runc") };
  const script = join(import.meta.dirname, "../support/launch-shim.ts");
  const args = [script, JSON.stringify([deps, { id, bundle, handler }])];
  const child = spawn(process.execPath, args, { env: { ...process.env, PODLING_FAILPOINT: name } });
  return new Promise((resolve) => child.on("exit", (_, signal) => resolve(signal)));
}

describe.each(shimRuntimes())("%s", (_, handler) => {
  test("runs a container to its end: output, exit code, time, and nothing left", async () => {
    await using pod = await TestPod.make(handler);
    const { address, shim } = await pod.launch();
    const before = Date.now();
    const container = await pod.create(shim, ["sh", "-c", "echo out; echo err >&2; exit 7"]);
    expect(await shim.state(container.id)).toMatchObject({ kind: "created", pid: container.pid });
    await shim.start(container.id);
    await shim.wait(container.id);
    await expect(shim.kill(container.id, { signal: SIGTERM })).rejects.toMatchObject({ code: "NotFound" });
    const exit = await pod.finish(shim, container);
    expect(exit.exitCode).toBe(7);
    expect(exit.exitedAtMs).toBeGreaterThan(before);
    expect(exit.exitedAtMs).toBeLessThanOrEqual(Date.now() + 1);
    expect(readLog(container.logPath, "stdout")).toBe("out\n");
    expect(readLog(container.logPath, "stderr")).toBe("err\n");
    await expect(shim.state(container.id)).rejects.toMatchObject({ code: "NotFound" });
    expect(await shim.delete(container.id)).toBeUndefined();
    await shim.shutdown(pod.id);
    await shim.closed;
    await eventually("the exit event", () => pod.seen.some((event) => event.containerId === container.id));
    expect(pod.eventErrors).toEqual([]);
    await eventually("the shim's end", () => findShims(pod.namespace).length === 0);
    expect(existsSync(address.socketPath)).toBe(false);
    expect(existsSync(join(container.bundle, "stdio"))).toBe(false);
    const runtimeRoot = join(pod.directory, "runc", pod.namespace);
    expect(existsSync(runtimeRoot) ? readdirSync(runtimeRoot) : []).toEqual([]);
  });

  test("holds a pod's containers in one shim, and shuts down only after the last", async () => {
    await using pod = await TestPod.make(handler);
    const { shim } = await pod.launch();
    const first = await pod.run(shim, ["sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"]);
    const second = await pod.run(shim, ["sleep", "1000"]);
    expect(await shim.connect(first.id)).toMatchObject({ taskPid: first.pid });
    await shim.shutdown(pod.id);
    await eventually("its trap", () => readLog(first.logPath, "stdout") === "ready\n");
    await shim.kill(first.id, { signal: SIGTERM });
    expect((await pod.finish(shim, first)).exitCode).toBe(5);
    expect(await shim.state(second.id)).toMatchObject({ kind: "running" });
    expect(await shim.pids(second.id)).toEqual([second.pid]);
    expect(findShims(pod.namespace)).toHaveLength(1);
    await shim.kill(second.id, { signal: SIGKILL, all: true });
    expect((await pod.finish(shim, second)).exitCode).toBe(137);
    await expect(shim.kill(second.id, { signal: SIGKILL })).rejects.toMatchObject({ code: "NotFound" });
    await shim.shutdown(pod.id);
    await shim.closed;
  });

  test("changes limits, pauses, and reports the use of resources", async () => {
    await using pod = await TestPod.make(handler);
    const { shim } = await pod.launch();
    const container = await pod.run(shim, ["sleep", "1000"]);
    await shim.update(container.id, { pids: { limit: 123 } });
    const cgroup = readFileSync(`/proc/${container.pid}/cgroup`, "utf8");
    const path = /^\d+:(?:pids)?:(\/\S+)$/m.exec(cgroup)?.[1] ?? "";
    const roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"];
    const file = roots.map((root) => join(root, path, "pids.max")).find((one) => existsSync(one)) ?? "";
    expect(readFileSync(file, "utf8").trim()).toBe("123");
    await shim.pause(container.id);
    expect(await shim.state(container.id)).toMatchObject({ kind: "paused" });
    await shim.resume(container.id);
    expect(await shim.state(container.id)).toMatchObject({ kind: "running" });
    expect((await shim.stats(container.id))?.type_url).toMatch(/io\.containerd\.cgroups\.v[12]\.Metrics$/);
  });

  test("a program that isn't there fails with the runtime's words", async () => {
    await using pod = await TestPod.make(handler);
    const { shim } = await pod.launch();
    const outcome = pod.run(shim, ["no-such-program"]);
    await expect(outcome).rejects.toMatchObject({
      code: "Internal",
      message: expect.stringContaining("no-such-program"),
    });
  });

  test("keeps ten megabytes of lines in order and whole", async () => {
    await using pod = await TestPod.make(handler);
    const { shim } = await pod.launch();
    const container = await pod.run(shim, ["seq", "1", "1400000"]);
    expect((await pod.finish(shim, container)).exitCode).toBe(0);
    const text = readLog(container.logPath, "stdout");
    expect(text.length).toBeGreaterThan(10_000_000);
    const lines = text.split("\n");
    expect(lines.length).toBe(1_400_001);
    expect(lines.findIndex((line, index) => index < 1_400_000 && line !== String(index + 1))).toBe(-1);
    await shim.shutdown(pod.id);
  });

  test("gives a container its input and, when closed, the end of it", async () => {
    await using pod = await TestPod.make(handler);
    const { shim } = await pod.launch();
    const container = await pod.run(shim, ["cat"], { stdin: true });
    const input = container.io.openStdin();
    input.end("hello\nworld\n");
    await eventually("what it echoes", () => readLog(container.logPath, "stdout") === "hello\nworld\n");
    await shim.closeIo(container.id);
    expect((await pod.finish(shim, container)).exitCode).toBe(0);
    await shim.shutdown(pod.id);
  });

  test("gives a container a terminal and its size", async () => {
    await using pod = await TestPod.make(handler);
    const { shim } = await pod.launch();
    const script = "read x; stty size; echo err >&2";
    const container = await pod.run(shim, ["sh", "-c", script], { terminal: true, stdin: true });
    await shim.resizePty(container.id, "", 91, 37);
    container.io.openStdin().end("\n");
    expect((await pod.finish(shim, container)).exitCode).toBe(0);
    expect(readLog(container.logPath, "stdout")).toContain("37 91\nerr\n");
    await shim.shutdown(pod.id);
  });

  test("after a restart of the agent: exits, output and control go on", async () => {
    await using pod = await TestPod.make(handler);
    const { shim } = await pod.launch();
    const flag = (bundle: string) => join(bundle, "rootfs/tmp/go");
    const script = "echo before; while ! test -e /tmp/go; do sleep 0.02; done; echo after; exit 9";
    const gone = await pod.run(shim, ["sh", "-c", script]);
    const kept = await pod.run(shim, ["sh", "-c", `${script.replace("exit 9", "sleep 1000")}`]);
    const isBefore = (path: string) => readLog(path, "stdout") === "before\n";
    await eventually("both outputs", () => isBefore(gone.logPath) && isBefore(kept.logPath));
    await gone.io.close();
    await kept.io.close();
    shim[Symbol.dispose]();
    await shim.closed;
    const ended = readProcessStat(gone.pid);
    writeFileSync(flag(gone.bundle), "");
    await eventually("an exit that nobody watches", () => ended !== undefined && !isAlive(ended));

    const launcher = pod.newLauncher();
    const address = launcher.load(pod.bundle);
    if (address === undefined) throw new Error("no shim recorded");
    const again = await launcher.connect(address);
    const reopen = (one: { bundle: string; logPath: string }) =>
      ContainerIo.reopen({
        directory: join(one.bundle, "stdio"),
        terminal: false,
        stdin: false,
        logPath: one.logPath,
        log: pod.log,
      });
    const goneIo = await reopen(gone);
    goneIo.start();
    expect(await again.wait(gone.id)).toMatchObject({ exitCode: 9 });
    await goneIo.drained;
    await again.delete(gone.id);
    await goneIo.remove();
    const keptIo = await reopen(kept);
    keptIo.start();
    writeFileSync(flag(kept.bundle), "");
    await eventually("the output after it", () => readLog(kept.logPath, "stdout") === "before\nafter\n");
    await again.kill(kept.id, { signal: SIGKILL });
    expect((await again.wait(kept.id)).exitCode).toBe(137);
    await keptIo.drained;
    await again.delete(kept.id);
    await keptIo.remove();
    await again.shutdown(pod.id);
    await again.closed;
  });

  test("output that nobody reads during a restart is read after it", async () => {
    await using pod = await TestPod.make(handler);
    const { shim } = await pod.launch();
    const container = await pod.create(shim, ["seq", "1", "200000"]);
    await container.io.close();
    await shim.start(container.id);
    // Until the pipe is full.
    await sleep(200);
    const io = await ContainerIo.reopen({
      directory: join(container.bundle, "stdio"),
      terminal: false,
      stdin: false,
      logPath: container.logPath,
      log: pod.log,
    });
    io.start();
    await shim.wait(container.id);
    await io.drained;
    const lines = readLog(container.logPath, "stdout").split("\n");
    expect(lines.slice(-2)).toEqual(["200000", ""]);
    expect(lines).toHaveLength(200_001);
    await shim.delete(container.id);
    await io.remove();
  });

  test("a shim that is killed ends its calls, and its containers are cleaned up", async () => {
    await using pod = await TestPod.make(handler);
    const { address, shim } = await pod.launch();
    const running = await pod.run(shim, ["sh", "-c", "sleep 1000 & sleep 1000"]);
    const created = await pod.create(shim, ["sleep", "1000"]);
    const pids = await shim.pids(running.id);
    const processes = [...pids, created.pid].flatMap((pid) => readProcessStat(pid) ?? []);
    expect(processes.length).toBeGreaterThanOrEqual(3);
    const waiting = shim.wait(running.id);
    waiting.catch(() => undefined);
    const { shimPid } = await shim.connect(running.id);
    process.kill(shimPid, "SIGKILL");
    await shim.closed;
    await expect(waiting).rejects.toMatchObject({ code: "Unavailable" });
    await expect(pod.launcher.connect(address)).rejects.toMatchObject({ code: "Unavailable" });
    // Removal must not need the streams.
    await created.io.remove();
    await running.io.drained;
    await running.io.remove();
    await pod.launcher.kill(pod.id, pod.bundle);
    for (const { id, bundle } of [running, created]) {
      const dead = await pod.launcher.cleanUpDead({ id, bundle, handler });
      expect(dead).toMatchObject({ exitCode: 137 });
    }
    expect(processes.filter(isAlive)).toEqual([]);
    expect(existsSync(address.socketPath)).toBe(false);
    expect(pod.launcher.load(pod.bundle)).toBeUndefined();
    const never = { id: newId(), bundle: join(pod.directory, "containers", newId()), handler };
    expect(await pod.launcher.cleanUpDead(never)).toBeUndefined();
    const runtimeRoot = join(pod.directory, "runc", pod.namespace);
    expect(readdirSync(runtimeRoot)).toEqual([]);
  });

  test("launch() again finds the shim that runs, instead of starting a second one", async () => {
    await using pod = await TestPod.make(handler);
    const { address, shim } = await pod.launch();
    const again = await pod.newLauncher().launch({ id: pod.id, bundle: pod.bundle, handler });
    expect(again).toEqual(address);
    expect(findShims(pod.namespace)).toHaveLength(1);
    await shim.shutdown(pod.id);
  });

  test.each(["run.shim-starting", "run.shim-started", "run.shim-recorded"])(
    "an agent that dies at %s leaves a shim that can be used or removed, and launched again",
    async (name) => {
      await using pod = await TestPod.make(handler);
      expect(await launchAndDie(pod, name)).toBe("SIGKILL");
      const address = pod.launcher.load(pod.bundle);
      expect(address === undefined).toBe(name !== "run.shim-recorded");
      if (address !== undefined) {
        using shim = await pod.launcher.connect(address);
        await expect(shim.state(pod.id)).rejects.toMatchObject({ code: "NotFound" });
      }
      await pod.launcher.kill(pod.id, pod.bundle);
      expect(findShims(pod.namespace)).toEqual([]);
      expect(pod.launcher.load(pod.bundle)).toBeUndefined();
      const { shim } = await pod.launch();
      await shim.shutdown(pod.id);
      await shim.closed;
    },
  );

  test("a launch that fails leaves no shim, and says why", async () => {
    await using pod = await TestPod.make(handler);
    writeFileSync(join(pod.bundle, "config.json"), "{ no json");
    await expect(pod.launch()).rejects.toMatchObject({
      code: "Unavailable",
      message: expect.stringContaining("invalid"),
    });
    expect(findShims(pod.namespace)).toEqual([]);
    expect(pod.launcher.load(pod.bundle)).toBeUndefined();
  });
});

test("a handler whose shim isn't installed is named", async () => {
  await using pod = await TestPod.make({ name: "kata", shim: "containerd-shim-missing-v2", binary: "" });
  await expect(pod.launch()).rejects.toMatchObject({
    code: "FailedPrecondition",
    message: expect.stringMatching(/"containerd-shim-missing-v2" of handler "kata"/),
  });
});

test("what prints no address is refused, and killed with what it started", async () => {
  await using pod = await TestPod.make({ name: "odd", shim: "/bin/echo", binary: "" });
  await expect(pod.launch()).rejects.toMatchObject({
    code: "Unavailable",
    message: expect.stringContaining("-namespace"),
  });
});

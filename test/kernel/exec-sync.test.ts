import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { newId } from "../../src/common/ids.ts";
import { ExecOutput } from "../../src/runtime/exec-output.ts";
import { recoverExecs } from "../../src/runtime/exec-process.ts";
import { type ExecSyncRequest, execSync } from "../../src/runtime/exec-sync.ts";
import type { RuntimeHandler } from "../../src/runtime/runtime-handler.ts";
import type { Shim } from "../../src/runtime/shim.ts";
import { listPids, readCommandLine } from "../../src/system/process.ts";
import { eventually } from "../support/eventually.ts";
import { processSpec } from "../support/oci-bundle.ts";
import { shimRuntimes } from "../support/shim-runtimes.ts";
import { type TestContainer, TestPod } from "../support/test-pod.ts";

/** Numbers nobody else sleeps for, so that a test finds its own processes. */
let nextSleep = 1_000_000 + (process.pid % 1000) * 1000;

function sleepers(seconds: number): number {
  return listPids().filter((pid) => readCommandLine(pid).at(-1) === String(seconds)).length;
}

/** A running container and a function that runs commands in it. */
async function execPod(handler: RuntimeHandler) {
  const pod = await TestPod.make(handler);
  const { shim } = await pod.launch();
  const container = await pod.run(shim, ["sleep", "1000"]);
  const directory = join(container.bundle, "exec");
  const run = (args: readonly string[], more: Partial<ExecSyncRequest> = {}) =>
    execSync({
      shim,
      containerId: container.id,
      directory,
      process: processSpec(args),
      timeoutMs: 0,
      log: pod.log,
      ...more,
    });
  return { pod, shim, container, directory, run };
}

async function expectNothingLeft(shim: Shim, container: TestContainer, directory: string): Promise<void> {
  expect(existsSync(directory) ? readdirSync(directory) : []).toEqual([]);
  await eventually("only init in the container", async () => (await shim.pids(container.id)).length === 1);
}

describe.each(shimRuntimes())("execSync() with %s", (_, handler) => {
  test("returns both outputs and the exit code", async () => {
    const { pod, shim, container, directory, run } = await execPod(handler);
    await using _pod = pod;
    const result = await run(["sh", "-c", "echo out; echo err >&2; cat; exit 42"]);
    expect(result).toEqual({ stdout: Buffer.from("out\n"), stderr: Buffer.from("err\n"), exitCode: 42 });
    const several = await Promise.all([1, 2, 3, 4, 5].map((n) => run(["sh", "-c", `echo ${n}; exit ${n}`])));
    expect(several.map(({ stdout, exitCode }) => [String(stdout), exitCode])).toEqual(
      [1, 2, 3, 4, 5].map((n) => [`${n}\n`, n]),
    );
    await expectNothingLeft(shim, container, directory);
  });

  test("a command that isn't there fails with the runtime's words and leaves nothing", async () => {
    const { pod, shim, container, directory, run } = await execPod(handler);
    await using _pod = pod;
    await expect(run(["no-such-command"])).rejects.toMatchObject({
      code: "Internal",
      message: expect.stringContaining("no-such-command"),
    });
    await expectNothingLeft(shim, container, directory);
  });

  test("at the time limit kills children, sessions and daemons of the command, and nothing else", async () => {
    const { pod, shim, container, directory, run } = await execPod(handler);
    await using _pod = pod;
    const seconds = nextSleep++;
    const script = [
      `sleep ${seconds} &`,
      `setsid sleep ${seconds} &`,
      // An orphan that leads a session of its own, and still has the command's output.
      `(setsid sh -c "sleep ${seconds} & sleep ${seconds}" &)`,
      `trap "" TERM INT HUP; while :; do sleep ${seconds}; done`,
    ];
    const outcome = run(["sh", "-c", script.join("\n")], { timeoutMs: 500 });
    await eventually("five sleepers", () => sleepers(seconds) === 5);
    await expect(outcome).rejects.toMatchObject({
      code: "DeadlineExceeded",
      message: expect.stringContaining("500 ms"),
    });
    expect(sleepers(seconds)).toBe(0);
    expect(await shim.state(container.id)).toMatchObject({ kind: "running" });
    await expectNothingLeft(shim, container, directory);
  });

  test("when the caller goes away, kills the same", async () => {
    const { pod, shim, container, directory, run } = await execPod(handler);
    await using _pod = pod;
    const seconds = nextSleep++;
    const caller = new AbortController();
    const outcome = run(["sh", "-c", `sleep ${seconds} & sleep ${seconds}`], { signal: caller.signal });
    await eventually("two sleepers", () => sleepers(seconds) === 2);
    caller.abort();
    await expect(outcome).rejects.toMatchObject({ code: "Cancelled" });
    expect(sleepers(seconds)).toBe(0);
    await expectNothingLeft(shim, container, directory);
  });

  test("reads beyond the limit of output without keeping it", async () => {
    const { pod, shim, container, directory, run } = await execPod(handler);
    await using _pod = pod;
    const script = "head -c 20000000 /dev/zero; echo end >&2";
    const { stdout, stderr, exitCode } = await run(["sh", "-c", script]);
    expect([stdout.length, String(stderr), exitCode]).toEqual([16 << 20, "end\n", 0]);
    await expectNothingLeft(shim, container, directory);
  });

  test("does not wait for a daemon that keeps the output open, and leaves it alone", async () => {
    const { pod, shim, container, directory, run } = await execPod(handler);
    await using _pod = pod;
    const seconds = nextSleep++;
    const started = performance.now();
    const { stdout, exitCode } = await run(["sh", "-c", `echo hi; sleep ${seconds} &`], { drainMs: 100 });
    expect([String(stdout), exitCode]).toEqual(["hi\n", 0]);
    // Deleting it takes the shim ten seconds.
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(sleepers(seconds)).toBe(1);
    await shim.kill(container.id, { signal: 9, all: true });
    await shim.wait(container.id);
    expect(readdirSync(directory)).toEqual([]);
  });

  test("a shim that dies ends it", async () => {
    const { pod, shim, container, run } = await execPod(handler);
    await using _pod = pod;
    const seconds = nextSleep++;
    const outcome = run(["sleep", String(seconds)]);
    outcome.catch(() => undefined);
    await eventually("the command", () => sleepers(seconds) === 1);
    process.kill((await shim.connect(container.id)).shimPid, "SIGKILL");
    await expect(outcome).rejects.toMatchObject({ code: "Unavailable" });
  });

  test("recoverExecs() ends what an agent that was killed left behind", async () => {
    const { pod, shim, container, directory } = await execPod(handler);
    await using _pod = pod;
    const seconds = nextSleep++;
    const [running, added, planned] = [newId(), newId(), newId()];
    for (const execId of [running, added]) {
      const output = new ExecOutput(join(directory, execId), 100);
      const process = processSpec(["sh", "-c", `sleep ${seconds} & sleep ${seconds}`]);
      await shim.exec(container.id, { execId, process, ...output.paths });
      if (execId === running) await shim.start(container.id, execId);
    }
    mkdirSync(join(directory, planned));
    await eventually("two sleepers", () => sleepers(seconds) === 2);
    await recoverExecs(shim, container.id, directory, pod.log);
    expect(sleepers(seconds)).toBe(0);
    for (const execId of [running, added]) {
      await expect(shim.state(container.id, execId)).rejects.toMatchObject({ code: "NotFound" });
    }
    await expectNothingLeft(shim, container, directory);
  });
});

import { expect, test } from "vitest";
import { type ProgramCall, runProgram } from "../../src/runtime/run-program.ts";
import { shimIdOf } from "../../src/runtime/shim-process.ts";
import { isAlive, readProcessStat } from "../../src/system/process.ts";

const sh = (script: string, more: Partial<ProgramCall> = {}) =>
  runProgram("The test", {
    program: "/bin/sh",
    args: ["-c", script],
    cwd: "/",
    env: { GREETING: "hello" },
    input: Buffer.alloc(0),
    timeoutMs: 10_000,
    ...more,
  });

test("runProgram() gives input, environment and directory, and returns the output", async () => {
  const output = await sh('cat; printf " %s %s %s" "$GREETING" "$PWD" "$HOME"', { input: Buffer.from("in") });
  expect(output.toString()).toBe("in hello / ");
});

test.each([
  ["echo nope >&2; exit 3", "Unavailable", "The test failed with 3: nope"],
  ["kill -9 $$", "Unavailable", "The test failed with SIGKILL: it printed nothing"],
])("runProgram() refuses %j", async (script, code, message) => {
  await expect(sh(script)).rejects.toMatchObject({ code, message });
});

test("runProgram() names a program that isn't there, and a missing directory", async () => {
  const message = "The test can't be run: it must be an installed program";
  await expect(sh("", { program: "/no/such" })).rejects.toMatchObject({ code: "FailedPrecondition", message });
  await expect(sh("", { cwd: "/no/such" })).rejects.toMatchObject({ code: "FailedPrecondition" });
});

test("runProgram() at its time limit kills the program's whole group", async () => {
  const outcome = sh("sleep 1000 & echo $! >&2; sleep 1000", { timeoutMs: 200 });
  const error: unknown = await outcome.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "DeadlineExceeded" });
  const child = readProcessStat(Number(/(\d+)$/.exec(String(error))?.[1]));
  expect(child !== undefined && isAlive(child)).toBe(false);
});

test("runProgram() does not wait for a daemon that keeps the output open", async () => {
  const output = await sh("sleep 20 & echo $!");
  process.kill(Number(output.toString()), "SIGKILL");
});

test("runProgram() survives a program that doesn't read its input", async () => {
  expect(String(await sh("echo done", { input: Buffer.alloc(1 << 20) }))).toBe("done\n");
});

const shim = ["/usr/bin/shim", "-namespace", "ns", "-id", "s1", "-address", "/run/a.sock"];
test.each([
  [shim, "s1"],
  [["/usr/bin/shim", "-namespace", "ns", "-address", "/a", "-publish-binary", "/bin/true", "-id", "s2", "start"], "s2"],
  [["/usr/bin/shim", "-namespace", "other", "-id", "s1", "-address", "/a"], undefined],
  [["/usr/bin/shim", "-namespace", "ns", "-id", "s1"], undefined],
  [["/usr/bin/shim"], undefined],
  [[], undefined],
])("shimIdOf(%j) is %s", (argv, id) => {
  expect(shimIdOf(argv, "ns")).toBe(id);
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { defaultConfigText } from "../../src/config-default.ts";
import { type CommandResult, runCommand } from "../support/command.ts";

const program = join(import.meta.dirname, "../../bin/podling");
const directory = mkdtempSync(join(tmpdir(), "podling-cli-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs the real program; nothing of the machine's own agent is used. */
function podling(...argv: readonly string[]): Promise<CommandResult> {
  return runCommand([program, ...argv], {
    env: { PODLING_ADDRESS: join(directory, "nobody.sock"), PODLING_CREDS: "" },
  });
}

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Wrong usage: what was typed, and what standard error says about it. */
const wrong: ReadonlyArray<readonly [readonly string[], string]> = [
  [[], "Usage: podling"],
  [["frobnicate"], "unknown command 'frobnicate'"],
  [["pull"], "missing required argument 'ref'"],
  [["pull", "a", "b"], "too many arguments"],
  [["images", "-o", "xml"], "Allowed choices are table, json, yaml"],
  [["serve", "--confg", "x"], "unknown option '--confg'"],
  [["serve", "--config"], "argument missing"],
  [["config"], "Usage: podling config"],
  [["pods", "frobnicate"], "frobnicate"],
];

/** Refusals: what was typed, and the reason. */
const refused: ReadonlyArray<readonly [readonly string[], string]> = [
  [["images"], `Cannot reach an agent at "${directory}/nobody.sock", which does not exist`],
  [["pods", "-o", "json"], `Cannot reach an agent at "${directory}/nobody.sock", which does not exist`],
  [
    ["pods", "list", "--address", `unix://${directory}/x.sock`],
    `Cannot reach an agent at "unix://${directory}/x.sock"`,
  ],
  [["pull", "--creds-file", "/nowhere/creds", "a"], 'Cannot read credentials from "/nowhere/creds"'],
  [["serve", "--config", "/nowhere/config.toml"], 'Cannot read the configuration "/nowhere/config.toml"'],
  [["config", "check", "/nowhere/config.toml"], "there is no such file"],
];

describe("podling", () => {
  test.each(wrong)("%j is wrong usage: exit code 2", async (argv, reason) => {
    const result = await podling(...argv);
    expect(result.stderr).toContain(reason);
    expect([result.exitCode, result.stdout]).toEqual([2, ""]);
  });

  test.each(refused)("%j is refused: exit code 1, the reason in one line", async (argv, reason) => {
    const result = await podling(...argv);
    expect(result.stderr).toContain(reason);
    expect(result.stderr.trim().split("\n")).toHaveLength(1);
    expect([result.exitCode, result.stdout]).toEqual([1, ""]);
  });

  test.each([["--help"], ["pull", "--help"], ["--version"], ["help"]])("%s answers: exit code 0", async (...argv) => {
    const result = await podling(...argv);
    expect([result.exitCode, result.stderr]).toEqual([0, ""]);
    expect(result.stdout).not.toBe("");
  });

  test("config default prints a configuration that config check accepts", async () => {
    const printed = await podling("config", "default");
    expect(printed).toMatchObject({ exitCode: 0, stderr: "", stdout: defaultConfigText });
    const path = file("default.toml", printed.stdout);
    expect(await podling("config", "check", path)).toMatchObject({
      exitCode: 0,
      stderr: "",
      stdout: `${path} is right\n`,
    });
  });

  test("config check and serve name every fault with file and line", async () => {
    const path = file("bad.toml", 'profile = "x"\n[grpc]\nadress = "/a"\n');
    const check = await podling("config", "check", path);
    expect(check).toMatchObject({
      exitCode: 1,
      stdout: "",
      stderr: `${path}:1: profile = "x": must be "eci" or "node"\n${path}:3: unknown key grpc.adress: known here are address, tcp_address, tls\n`,
    });
    const serve = await podling("serve", "--config", path);
    expect(serve.exitCode).toBe(1);
    expect(serve.stderr).toContain(`${path}:3: unknown key grpc.adress`);
  });

  test("config check finds a vSwitch outside its VPC", async () => {
    const path = file("network.toml", defaultConfigText.replace("10.88.0.0/20", "10.89.0.0/20"));
    const { stderr, exitCode } = await podling("config", "check", path);
    expect(stderr).toMatch(/network\.toml:\d+: Invalid network\.vswitches\[0\]\.cidr "10\.89\.0\.0\/20"/);
    expect(exitCode).toBe(1);
  });

  test("doctor says what is there, and fails when the default handler's runtime is missing", async () => {
    const path = file("handlers.toml", '[runtime.handlers.runc]\nbinary = "/nowhere/runc"\n');
    const { stdout, exitCode } = await podling("doctor", "--config", path, "-o", "yaml");
    const findings = parse(stdout) as readonly { check: string; state: string; found: string; lost: string }[];
    expect(findings.find(({ check }) => check === "handler runc")).toEqual({
      check: "handler runc",
      state: "missing",
      found: "no /nowhere/runc",
      lost: "no pod starts that names no other handler",
    });
    expect(exitCode).toBe(1);
  });

  test("doctor misses the network of a provider cni that has no configuration", async () => {
    const path = file("cni.toml", '[network]\nprovider = "cni"\n[network.cni]\nconf_dir = "/nowhere"\n');
    const { stdout, exitCode } = await podling("doctor", "--config", path, "-o", "yaml");
    const findings = parse(stdout) as readonly { check: string; state: string; found: string }[];
    expect(findings.find(({ check }) => check === "CNI network")).toMatchObject({
      state: "missing",
      found: "none in /nowhere",
    });
    expect(exitCode).toBe(1);
  });

  test("never takes credentials from the command line", async () => {
    const { stdout } = await podling("pull", "--help");
    expect(stdout).not.toMatch(/--(?:creds|password|username)[ =]/);
  });
});

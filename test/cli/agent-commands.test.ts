import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Agent } from "../support/agent.ts";
import { busyboxLayer } from "../support/busybox-image.ts";
import { type CommandOptions, type CommandResult, runCommand } from "../support/command.ts";
import { CriClient } from "../support/cri-client.ts";
import { buildImage, buildLayer } from "../support/oci-image.ts";
import { type PushedImage, pushImage } from "../support/push-image.ts";
import { Registry, registryPassword, registryUser } from "../support/registry.ts";

const program = join(import.meta.dirname, "../../bin/podling");
const stack = new AsyncDisposableStack();
let agent: Agent;
let image: PushedImage;
let reference: string;

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), "podling-cli-agent-"));
  stack.defer(() => rmSync(directory, { recursive: true }));
  const registry = stack.use(await Registry.start({ directory, protected: true }));
  const layers = [await busyboxLayer(), await buildLayer([{ name: "second", body: "layer" }])];
  image = await pushImage(registry, "cli", "1", buildImage({ layers, config: { Cmd: ["/bin/sleep", "600"] } }));
  agent = stack.use(await Agent.start({ mirrors: { "registry.cli": registry.host } }));
  reference = "registry.cli/cli:1";
});
afterAll(() => stack.disposeAsync());

function podling(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return runCommand([program, ...argv, "--address", agent.socket], options);
}

describe("podling with an agent", () => {
  test("pull without credentials is refused with the agent's reason", async () => {
    const result = await podling(["pull", reference]);
    expect([result.exitCode, result.stdout]).toEqual([1, ""]);
    expect(result.stderr).toContain("registry.cli");
  });

  test("pull with wrong credentials is refused, and repeats no secret", async () => {
    const result = await podling(["pull", reference], { env: { PODLING_CREDS: `${registryUser}:s3cret-and-wrong` } });
    expect(result.exitCode).toBe(1);
    expect(`${result.stdout}${result.stderr}${agent.log()}`).not.toContain("s3cret-and-wrong");
  });

  test("pull with credentials shows each layer on standard error and the id on standard output", async () => {
    const argv = ["pull", reference, "--creds-file", "-", "-o", "json"];
    const result = await podling(argv, { input: `${registryUser}:${registryPassword}\n` });
    expect(result.exitCode).toBe(0);
    expect(JSON.parse(result.stdout)).toEqual({ reference, id: image.id });
    expect(result.stderr.match(/^ {2}[0-9a-f]{12} +\S+ k?M?B {2}done$/gm)).toHaveLength(2);
    expect(agent.log()).not.toContain(registryPassword);
  });

  test("pull again finds every layer there", async () => {
    const creds = join(agent.instance.scratch, "creds");
    writeFileSync(creds, `${registryUser}:${registryPassword}`);
    const result = await podling(["pull", reference, "--creds-file", creds]);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain(image.id);
  });

  test("images lists it", async () => {
    const json = await podling(["images", "-o", "json"]);
    const [row] = JSON.parse(json.stdout) as readonly { id: string; tags: readonly string[]; sizeBytes: number }[];
    expect([row?.id, row?.tags]).toEqual([image.id, [reference]]);
    expect(row?.sizeBytes).toBeGreaterThan(100_000);
    const table = await podling(["images"]);
    expect(table.stdout).toMatch(/^IMAGE +ID +SIZE\nregistry\.cli\/cli:1 +[0-9a-f]{13} +\d/);
  });

  test("pods lists pods with their addresses", async () => {
    expect(await podling(["pods", "-o", "json"])).toMatchObject({ exitCode: 0, stdout: "[]\n", stderr: "" });
    using cri = new CriClient(agent.socket);
    const config = { metadata: { name: "p", namespace: "n", uid: "u", attempt: 0 }, linux: {} };
    const { pod_sandbox_id: id } = await cri.call("RunPodSandbox", { config });
    const { stdout } = await podling(["pods", "list", "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject([{ id, name: "p", namespace: "n", state: "ready" }]);
    const table = await podling(["pods"]);
    expect(table.stdout).toMatch(new RegExp(`\n${id.slice(0, 13)} +n +p +Ready +\\S+ \\S+ +10\\.\\S+ fd\\S+\n$`));
    await cri.call("StopPodSandbox", { pod_sandbox_id: id });
    await cri.call("RemovePodSandbox", { pod_sandbox_id: id });
  });
});

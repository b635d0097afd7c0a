import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCommand } from "../support/command.ts";
import { containerConfig, podConfig } from "../support/requests.ts";
import { cannotRun, toolsDirectory } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

describe.skipIf(cannotRun("crictl-1.26", "docker-registry", "runc"))("crictl 1.26", () => {
  const world = useWorld();

  async function old(...args: readonly string[]): Promise<string> {
    const endpoint = `unix://${world().agent.socket}`;
    const argv = [join(toolsDirectory, "crictl-1.26"), "-r", endpoint, "-i", endpoint, "-t", "60s", ...args];
    const result = await runCommand(argv);
    if (result.exitCode !== 0) throw new Error(`crictl-1.26 ${args.join(" ")}: ${result.stderr}${result.stdout}`);
    return result.stdout.trimEnd();
  }

  test("takes a pod and its container through their life", async () => {
    const { busybox, crictl } = world();
    expect(await old("version")).toContain("RuntimeApiVersion:  v1");
    await old("pull", busybox.reference);
    expect(await old("images", "-q")).toContain(busybox.id);
    expect(await old("inspecti", busybox.reference)).toContain(busybox.id);
    const pod = podConfig(world());
    const podFile = crictl.file(pod);
    const podId = await old("runp", podFile);
    expect(await old("pods", "-q", "--no-trunc")).toContain(podId);
    const container = await old("create", podId, crictl.file(containerConfig(world(), "main")), podFile);
    await old("start", container);
    expect(await old("ps", "-q", "--no-trunc")).toBe(container);
    expect(await old("exec", "-s", container, "echo", "hello")).toBe("hello");
    expect(await old("exec", container, "echo", "streamed")).toBe("streamed");
    expect(JSON.parse(await old("inspect", container))).toMatchObject({ status: { state: "CONTAINER_RUNNING" } });
    expect(await old("stats", "-o", "json", container)).toContain(container);
    await old("stop", "-t", "0", container);
    await old("rm", container);
    await old("stopp", podId);
    await old("rmp", podId);
    expect(await old("info")).toContain("RuntimeReady");
  });
});

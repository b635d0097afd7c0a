import { describe, expect, test } from "vitest";
import { hostPort } from "../support/own-numbers.ts";
import { podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("host ports", () => {
  const world = useWorld({ overrides: { profile: "node" } });
  const server = ["/bin/sh", "-c", "echo hello > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"];
  const mapping = (host_port: number) => ({ container_port: 8080, host_port });

  const page = async (port: number) => (await fetch(`http://127.0.0.1:${port}/index.html`)).text();

  test("lead to a pod until it is stopped, also past the agent's death", async () => {
    const { agent, client, crictl } = world();
    const port = hostPort();
    const pod = { port_mappings: [mapping(port)] };
    const { podId } = await runContainer(world(), server, { pod });
    await expect.poll(() => page(port).catch(String), { timeout: 10_000 }).toBe("hello\n");
    const refusal = await crictl.refused("runp", crictl.file(podConfig(world(), pod)));
    expect(refusal).toContain("code = FailedPrecondition");
    expect(refusal).toContain(`${port}/tcp`);
    expect(refusal).toContain(podId);
    await agent.kill();
    await agent.start();
    expect(await page(port)).toBe("hello\n");
    await client.call("StopPodSandbox", { pod_sandbox_id: podId });
    await expect(page(port)).rejects.toThrow();
    const again = await crictl.run("runp", crictl.file(podConfig(world(), pod)));
    expect(again).not.toBe("");
  });
});

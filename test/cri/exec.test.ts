import { describe, expect, test } from "vitest";
import { instanceProcesses } from "../support/instance-objects.ts";
import { runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("crictl exec -s", () => {
  const world = useWorld();

  test("gives output, error output and exit code", async () => {
    const { client, crictl } = world();
    const { containerId } = await runContainer(world());
    expect(await crictl.run("exec", "-s", containerId.slice(0, 13), "echo", "a b")).toBe("a b");
    const failed = await crictl.attempt("exec", "-s", containerId, "/bin/sh", "-c", "echo out; echo err >&2; exit 3");
    expect(failed.exitCode).not.toBe(0);
    expect(failed.stderr).toContain("3");
    const answer = await client.call("ExecSync", {
      container_id: containerId,
      cmd: ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"],
    });
    expect({ ...answer, stdout: answer.stdout.toString(), stderr: answer.stderr.toString() }).toEqual({
      stdout: "out\n",
      stderr: "err\n",
      exit_code: 3,
    });
  });

  test("ends what runs too long, with all it started", async () => {
    const { crictl, client, agent } = world();
    const { containerId } = await runContainer(world());
    const before = instanceProcesses(agent.instance.name).length;
    const cmd = ["/bin/sh", "-c", "sleep 1000 & sleep 1001"];
    await expect(client.call("ExecSync", { container_id: containerId, cmd, timeout: 1 })).rejects.toMatchObject({
      code: 4,
    });
    expect(await crictl.run("exec", "-s", containerId, "ps")).not.toContain("sleep 1001");
    expect(instanceProcesses(agent.instance.name)).toHaveLength(before);
  });

  test("a background child that holds the output open does not hold the answer", async () => {
    const { client } = world();
    const { containerId } = await runContainer(world());
    const cmd = ["/bin/sh", "-c", "sleep 1000 & echo started"];
    const answer = await client.call(
      "ExecSync",
      { container_id: containerId, cmd, timeout: 20 },
      { timeoutMs: 30_000 },
    );
    expect(answer.stdout.toString()).toBe("started\n");
  });

  test("output beyond 16 MiB is cut or refused, and the agent goes on", async () => {
    const { client } = world();
    const { containerId } = await runContainer(world());
    const cmd = ["/bin/sh", "-c", "head -c 40000000 /dev/zero"];
    const size = await client.call("ExecSync", { container_id: containerId, cmd, timeout: 30 }).then(
      (answer) => answer.stdout.length,
      (error: { code: number }) => -error.code,
    );
    expect(size).toBeLessThanOrEqual(16 * 1024 * 1024);
    const next = await client.call("ExecSync", { container_id: containerId, cmd: ["echo", "ok"] });
    expect(next.stdout.toString()).toBe("ok\n");
  });

  test("refuses a container that does not run, and a program that does not exist", async () => {
    const { client } = world();
    const { containerId } = await runContainer(world());
    await expect(client.call("ExecSync", { container_id: containerId, cmd: ["/no/such"] })).rejects.toThrow("/no/such");
    await client.call("StopContainer", { container_id: containerId });
    await expect(client.call("ExecSync", { container_id: containerId, cmd: ["true"] })).rejects.toMatchObject({
      details: expect.stringContaining(containerId),
    });
  });
});

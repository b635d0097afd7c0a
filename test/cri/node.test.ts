import { describe, expect, test } from "vitest";
import { runCommand } from "../support/command.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("crictl about the node", () => {
  const world = useWorld();

  test("version names runtime and API", async () => {
    const lines = (await world().crictl.run("version")).split("\n").map((line) => line.split(/:\s+/));
    expect(Object.fromEntries(lines)).toEqual({
      Version: "0.1.0",
      RuntimeName: "podling",
      RuntimeVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
      RuntimeApiVersion: "v1",
    });
  });

  test("info says that runtime and network are ready, and which handlers there are", async () => {
    const info = JSON.parse(await world().crictl.run("info")) as {
      status: { conditions: { type: string; status: boolean }[] };
      runtimeHandlers: { name?: string }[];
    };
    expect(info.status.conditions.map(({ type, status }) => ({ type, status }))).toEqual([
      { type: "RuntimeReady", status: true },
      { type: "NetworkReady", status: true },
    ]);
    expect(info.runtimeHandlers.map(({ name }) => name ?? "").sort()).toEqual(["", "crun", "runc"]);
  });

  test("the cgroup driver and the pod CIDR are answered", async () => {
    expect((await world().client.call("RuntimeConfig", {})).linux?.cgroup_driver).toBe("CGROUPFS");
    await world().client.call("UpdateRuntimeConfig", {
      runtime_config: { network_config: { pod_cidr: "10.0.0.0/24" } },
    });
  });

  test("what is not built yet answers Unimplemented", async () => {
    await expect(world().client.call("CheckpointPod", { pod_sandbox_id: "x" })).rejects.toMatchObject({ code: 12 });
  });

  test("a second agent of the same directories is refused and the first goes on", async () => {
    const { agent, crictl } = world();
    const second = await runCommand(["bin/podling", "serve", "--config", agent.configPath]);
    expect(second.exitCode).toBe(1);
    expect(second.stderr).toContain("one agent at a time");
    await crictl.run("version");
  });
});

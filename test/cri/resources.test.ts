import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cgroupFile } from "../support/cgroup-file.ts";
import { containerConfig, execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const mebibyte = 1 << 20;

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "crun"))("limits of containers", () => {
  const world = useWorld();

  const limitsOf = async (containerId: string) => {
    const { status } = await world().client.call("ContainerStatus", { container_id: containerId });
    return status?.resources?.linux;
  };
  const pidOf = async (containerId: string) => {
    const { info } = await world().client.call("ContainerStatus", { container_id: containerId, verbose: true });
    return (JSON.parse(info["info"] ?? "{}") as { pid: number }).pid;
  };

  test.each(["runc", "crun"])("crictl update changes those of a running container on %s", async (handler) => {
    const { crictl } = world();
    const linux = { resources: { memory_limit_in_bytes: String(64 * mebibyte), cpu_shares: "512" } };
    const { containerId } = await runContainer(world(), [], { handler, container: { linux } });
    const pid = await pidOf(containerId);
    await crictl.run(
      "update",
      "--memory",
      String(48 * mebibyte),
      "--cpu-period",
      "50000",
      "--cpu-quota",
      "25000",
      containerId,
    );
    expect(cgroupFile(pid, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(48 * mebibyte));
    expect(await limitsOf(containerId)).toMatchObject({
      memory_limit_in_bytes: String(48 * mebibyte),
      cpu_period: "50000",
      cpu_quota: "25000",
      // Not named in the update.
      cpu_shares: "512",
    });
    await crictl.run("update", "--cpuset-cpus", "0", containerId);
    expect(
      (await execOutput(world(), containerId, "grep", "Cpus_allowed_list", "/proc/self/status")).split(/\s+/)[1],
    ).toBe("0");
    expect((await limitsOf(containerId))?.cpuset_cpus).toBe("0");
  });

  test.each(["runc", "crun"])("an update before the start holds after it on %s", async (handler) => {
    const { client, busybox } = world();
    await client.call("PullImage", { image: { image: busybox.reference } });
    const pod = podConfig(world());
    const { pod_sandbox_id } = await client.call("RunPodSandbox", { config: pod, runtime_handler: handler });
    const created = await client.call("CreateContainer", {
      pod_sandbox_id,
      config: containerConfig(world(), "main"),
      sandbox_config: pod,
    });
    const container_id = created.container_id;
    await client.call("UpdateContainerResources", {
      container_id,
      linux: { memory_limit_in_bytes: String(32 * mebibyte) },
    });
    expect((await limitsOf(container_id))?.memory_limit_in_bytes).toBe(String(32 * mebibyte));
    await client.call("StartContainer", { container_id });
    const pid = await pidOf(container_id);
    expect(cgroupFile(pid, "memory", "memory.limit_in_bytes", "memory.max")).toBe(String(32 * mebibyte));
  });

  test("a limit that the kernel refuses leaves every other as it was", async () => {
    const { client } = world();
    const linux = { resources: { cpu_shares: "512" } };
    const { containerId } = await runContainer(world(), [], { container: { linux } });
    const pid = await pidOf(containerId);
    const before = cgroupFile(pid, "memory", "memory.limit_in_bytes", "memory.max");
    const update = client.call("UpdateContainerResources", {
      container_id: containerId,
      linux: { memory_limit_in_bytes: String(64 * mebibyte), cpuset_cpus: "4000" },
    });
    await expect(update).rejects.toThrow(/cpuset/);
    expect(cgroupFile(pid, "memory", "memory.limit_in_bytes", "memory.max")).toBe(before);
    expect(await limitsOf(containerId)).toMatchObject({
      memory_limit_in_bytes: "0",
      cpu_shares: "512",
      cpuset_cpus: "",
    });
  });

  test.each(["update.recorded", "update.runtime-updated"])(
    "an agent killed at %s ends with the new limits",
    async (failpoint) => {
      const { agent, client } = world();
      const linux = { resources: { memory_limit_in_bytes: String(64 * mebibyte) } };
      const { containerId } = await runContainer(world(), [], { container: { linux } });
      const pid = await pidOf(containerId);
      await agent.stop();
      await agent.start(failpoint);
      const change = { memory_limit_in_bytes: String(40 * mebibyte) };
      await expect(
        client.call("UpdateContainerResources", { container_id: containerId, linux: change }),
      ).rejects.toThrow();
      await agent.ended();
      await agent.start();
      expect(await limitsOf(containerId)).toMatchObject(change);
      expect(cgroupFile(pid, "memory", "memory.limit_in_bytes", "memory.max")).toBe(change.memory_limit_in_bytes);
      expect(readFileSync(`/proc/${pid}/stat`, "utf8")).toContain("(sleep)");
    },
  );

  test("a pod's own limits are remembered and shown; an unknown pod is not found", async () => {
    const { client } = world();
    const { podId } = await runContainer(world());
    const resources = { cpu_shares: "1024", memory_limit_in_bytes: String(mebibyte) };
    await client.call("UpdatePodSandboxResources", { pod_sandbox_id: podId, resources });
    const { info } = await client.call("PodSandboxStatus", { pod_sandbox_id: podId, verbose: true });
    expect(JSON.parse(info["info"] ?? "{}")).toMatchObject({
      resources: { resources: { cpuShares: "1024", memoryLimitBytes: String(mebibyte) } },
    });
    const unknown = client.call("UpdatePodSandboxResources", { pod_sandbox_id: "f".repeat(64), resources });
    await expect(unknown).rejects.toMatchObject({ code: 5 });
    const noContainer = client.call("UpdateContainerResources", { container_id: "f".repeat(64), linux: {} });
    await expect(noContainer).rejects.toMatchObject({ code: 5 });
  });
});

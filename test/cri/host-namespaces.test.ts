import { readFileSync, readlinkSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import type { NamespaceOption } from "../../src/generated/runtime/v1/NamespaceOption.ts";
import { execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

/** The namespace files of /proc/PID/ns. */
const kinds = ["net", "ipc", "uts", "pid"] as const;

describe.skipIf(cannotRun("docker-registry", "runc", "crun"))('under profile = "node"', () => {
  const world = useWorld({ overrides: { profile: "node" } });

  /** Runs a container whose pod has these namespaces. @returns which of them are the host's */
  async function run(handler: string, namespace_options: NamespaceOption) {
    const pod = { hostname: "", linux: { security_context: { namespace_options } } };
    const running = await runContainer(world(), [], { handler, pod });
    const status = await world().client.call("ContainerStatus", { container_id: running.containerId, verbose: true });
    const { pid } = JSON.parse(status.info["info"] ?? "{}") as { pid: number };
    const shared = kinds.filter(
      (kind) => readlinkSync(`/proc/${pid}/ns/${kind}`) === readlinkSync(`/proc/self/ns/${kind}`),
    );
    return { ...running, pid, shared };
  }

  describe.each(["runc", "crun"])("%s runs a pod", (handler) => {
    test("in the host's network, with the host's names and no address of its own", async () => {
      const { podId, containerId, shared } = await run(handler, { network: "NODE" });
      expect(shared).toEqual(["net", "uts"]);
      expect(await execOutput(world(), containerId, "hostname")).toBe(`${hostname()}\n`);
      for (const file of ["/etc/hosts", "/etc/resolv.conf"]) {
        expect(await execOutput(world(), containerId, "cat", file)).toBe(readFileSync(file, "utf8"));
      }
      const { status } = await world().client.call("PodSandboxStatus", { pod_sandbox_id: podId });
      expect(status?.network?.ip).toBe("");
      expect(status?.linux?.namespaces?.options?.network).toBe("NODE");
    });

    test("in the host's PID namespace, where it sees the agent", async () => {
      const { containerId, pid, shared } = await run(handler, { pid: "NODE" });
      expect(shared).toEqual(["pid"]);
      expect(
        await execOutput(world(), containerId, "ls", "-d", `/proc/${world().agent.pid}`, `/proc/${pid}`),
      ).toContain(`/proc/${world().agent.pid}`);
    });

    test("in the host's IPC namespace, with its shared memory", async () => {
      const { containerId, shared } = await run(handler, { ipc: "NODE" });
      expect(shared).toEqual(["ipc"]);
      const device = await execOutput(world(), containerId, "stat", "-c", "%d", "/dev/shm");
      expect(Number(device)).toBe(statSync("/dev/shm").dev);
    });

    test("of its own kernel parameters, and leaves the host's alone", async () => {
      const sysctls = {
        "net.core.somaxconn": "777",
        "net/ipv4/conf/eth0/forwarding": "1",
        "kernel.shm_rmid_forced": "1",
        "fs.mqueue.msg_max": "100",
      };
      const files = [
        "net/core/somaxconn",
        "net/ipv4/conf/eth0/forwarding",
        "kernel/shm_rmid_forced",
        "fs/mqueue/msg_max",
      ];
      const before = readFileSync("/proc/sys/net/core/somaxconn", "utf8");
      const { containerId } = await runContainer(world(), [], { handler, pod: { linux: { sysctls } } });
      const values = await execOutput(world(), containerId, "cat", ...files.map((file) => `/proc/sys/${file}`));
      expect(values.trim().split("\n")).toEqual(Object.values(sysctls));
      expect(readFileSync("/proc/sys/net/core/somaxconn", "utf8")).toBe(before);
    });
  });

  test.each([
    ["one that the kernel does not have", { "net.core.nonsense": "1" }, "net.core.nonsense"],
    ["a value that it does not take", { "net.core.somaxconn": "many" }, "net.core.somaxconn"],
    ["one of the whole machine", { "vm.swappiness": "1" }, "vm.swappiness"],
  ])("a pod with %s is refused, and nothing is left of it", async (_, sysctls, name) => {
    const config = podConfig(world(), { linux: { sysctls } });
    const refused = world().client.call("RunPodSandbox", { config });
    await expect(refused).rejects.toMatchObject({ code: 3, message: expect.stringContaining(name) });
    expect((await world().client.call("ListPodSandbox", {})).items).toEqual([]);
  });
});

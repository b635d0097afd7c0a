import { chownSync, existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ContainerConfig } from "../../src/generated/runtime/v1/ContainerConfig.ts";
import type { UserNamespace } from "../../src/generated/runtime/v1/UserNamespace.ts";
import { execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const hostId = 300_000;
const mapping = [{ host_id: hostId, container_id: 0, length: 65_536 }];
const userns_options: UserNamespace = { mode: "POD", uids: mapping, gids: mapping };

describe.skipIf(cannotRun("docker-registry", "runc", "crun"))("user namespaces", () => {
  const world = useWorld({ overrides: { profile: "node" } });

  async function run(handler: string, pid: "POD" | "CONTAINER", container: ContainerConfig = {}, sysctls = {}) {
    const namespace_options = { pid, userns_options };
    const pod = { linux: { sysctls, security_context: { namespace_options } } };
    const security_context = { ...container.linux?.security_context, namespace_options };
    const own = { ...container, linux: { ...container.linux, security_context } };
    const running = await runContainer(world(), [], { handler, pod, container: own });
    const status = await world().client.call("ContainerStatus", { container_id: running.containerId, verbose: true });
    return { ...running, pid: (JSON.parse(status.info["info"] ?? "{}") as { pid: number }).pid };
  }
  const exec = (id: string, script: string) => execOutput(world(), id, "/bin/sh", "-c", script);

  test("are reported for each handler that has them, the default one's empty name too", async () => {
    const { runtime_handlers } = await world().client.call("Status", {});
    expect(runtime_handlers.map(({ name, features }) => [name, features?.user_namespaces])).toEqual([
      ["", true],
      ["runc", true],
      ["crun", true],
    ]);
  });

  describe.each(["runc", "crun"])("on %s", (handler) => {
    test.each(["POD", "CONTAINER"] as const)("root of a pod with PID mode %s is nobody on the host", async (mode) => {
      const { podId, containerId, pid } = await run(handler, mode);
      expect(await exec(containerId, "id -u; cat /proc/self/uid_map")).toMatch(/^0\n\s+0\s+300000\s+65536\n$/);
      expect(statSync(`/proc/${pid}`).uid).toBe(hostId);
      // Owned by its user namespace: only so may its root bring links up and change the host name.
      expect(readlinkSync(`/proc/${pid}/ns/user`)).not.toBe(readlinkSync("/proc/self/ns/user"));
      expect(await exec(containerId, "stat -c %u:%g / /bin/busybox /etc/passwd | sort -u")).toBe("0:0\n");
      expect(await exec(containerId, "echo mine > /new && stat -c %u /new && cat /etc/hosts | wc -l")).toMatch(/^0\n/);
      expect(await exec(containerId, "ip link show eth0 | grep -c UP")).toBe("1\n");
      const { status } = await world().client.call("PodSandboxStatus", { pod_sandbox_id: podId });
      expect(status?.linux?.namespaces?.options?.userns_options).toEqual({ mode: "POD", uids: mapping, gids: mapping });
      expect(status?.network?.ip).not.toBe("");
    });

    test("the pod's root has its capabilities over the pod's own namespaces alone", async () => {
      const security_context = { capabilities: { add_capabilities: ["NET_ADMIN", "SYS_ADMIN"] } };
      const { containerId } = await run(handler, "CONTAINER", { linux: { security_context } });
      expect(await exec(containerId, "hostname inside && hostname")).toBe("inside\n");
      expect(await exec(containerId, "ip link add br0 type bridge && ip link show br0 | grep -c br0")).toMatch(/^1\n/);
      expect(
        await exec(containerId, "cat /proc/1/ns/net >/dev/null 2>&1; mknod /x c 1 3 2>&1 || echo refused"),
      ).toContain("refused");
    });

    test("another user of the image is that user inside, and shifted outside", async () => {
      const { containerId, pid } = await run(handler, "CONTAINER", {
        linux: { security_context: { run_as_user: { value: "1000" } } },
      });
      expect(await exec(containerId, "id -G")).toBe("1000 5000\n");
      expect(statSync(`/proc/${pid}`).uid).toBe(hostId + 1000);
    });

    test("files of a mapped volume keep their owners on the host and have them inside", async () => {
      const volume = join(world().agent.instance.scratch, `volume-${handler}`);
      mkdirSync(volume, { mode: 0o777 });
      writeFileSync(join(volume, "old"), "from the host\n");
      chownSync(join(volume, "old"), 1234, 1234);
      const mounts = [
        { host_path: volume, container_path: "/mapped", uidMappings: mapping, gidMappings: mapping },
        { host_path: "/etc/hostname", container_path: "/plain", readonly: true },
      ];
      const { containerId } = await run(handler, "POD", { mounts });
      expect(await exec(containerId, "stat -c %u:%g /mapped/old; cat /mapped/old")).toBe("1234:1234\nfrom the host\n");
      expect(await exec(containerId, "touch /mapped/new; stat -c %u /mapped/new /plain")).toBe("0\n65534\n");
      expect(statSync(join(volume, "new")).uid).toBe(0);
    });

    test("kernel parameters of the pod's own namespaces can be set", async () => {
      const sysctls = { "net.core.somaxconn": "321", "kernel.shm_rmid_forced": "1" };
      const { containerId } = await run(handler, "CONTAINER", {}, sysctls);
      const files = "/proc/sys/net/core/somaxconn /proc/sys/kernel/shm_rmid_forced";
      expect(await exec(containerId, `cat ${files}`)).toBe("321\n1\n");
    });

    test("what a pod writes is taken off the host with it", async () => {
      const { containerId, podId } = await run(handler, "POD");
      await exec(containerId, "mkdir -p /deep/er && touch /deep/er/file && chmod 000 /deep");
      await world().client.call("StopPodSandbox", { pod_sandbox_id: podId });
      await world().client.call("RemovePodSandbox", { pod_sandbox_id: podId });
      expect(existsSync(join(world().agent.instance.root, "containers", containerId))).toBe(false);
      expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(containerId);
    });
  });

  test("files of an image volume have the image's owners inside", async () => {
    const image = { image: world().busybox.reference };
    const { containerId } = await run("runc", "POD", { mounts: [{ container_path: "/tools", image, readonly: true }] });
    expect(await exec(containerId, "stat -c %u:%g /tools/etc/passwd; /tools/bin/busybox true && echo runs")).toBe(
      "0:0\nruns\n",
    );
  });

  test("an agent killed while it makes one leaves nothing of it", async () => {
    const { agent, client } = world();
    await agent.kill();
    await agent.start("run.user-namespace-made");
    const config = podConfig(world(), { linux: { security_context: { namespace_options: { userns_options } } } });
    await expect(client.call("RunPodSandbox", { config })).rejects.toThrow();
    await agent.ended();
    await agent.start();
    expect((await client.call("ListPodSandbox", {})).items).toEqual([]);
  });

  test("a pod taken up by the next agent runs further containers", async () => {
    const first = await run("crun", "POD");
    await world().agent.kill();
    await world().agent.start();
    const { pod, config, podId } = first;
    const again = { ...config, metadata: { name: "second", attempt: 0 }, log_path: "second.log" };
    const { client } = world();
    const { container_id } = await client.call("CreateContainer", {
      pod_sandbox_id: podId,
      config: again,
      sandbox_config: pod,
    });
    await client.call("StartContainer", { container_id });
    expect(await exec(container_id, "cat /proc/self/uid_map")).toMatch(/300000/);
  });

  test.each<[string, UserNamespace, object]>([
    ["two mappings", { mode: "POD", uids: [...mapping, ...mapping], gids: mapping }, {}],
    ["no mapping", { mode: "POD" }, {}],
    ["root left out", { mode: "POD", uids: [{ host_id: 1, container_id: 1, length: 9 }], gids: mapping }, {}],
    ["a namespace for each container", { mode: "CONTAINER", uids: mapping, gids: mapping }, {}],
    ["another container's namespace", { mode: "TARGET", uids: mapping, gids: mapping }, {}],
    ["a mapping for the host's", { mode: "NODE", uids: mapping, gids: mapping }, {}],
    ["the host's network", userns_options, { network: "NODE" }],
    ["the host's processes", userns_options, { pid: "NODE" }],
    ["the host's IPC", userns_options, { ipc: "NODE" }],
  ])("with %s are refused", async (_, options, more) => {
    const namespace_options = { ...more, userns_options: options };
    const config = podConfig(world(), { linux: { security_context: { namespace_options } } });
    await expect(world().client.call("RunPodSandbox", { config })).rejects.toMatchObject({ code: 3 });
  });
});

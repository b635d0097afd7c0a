import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { detectCgroups } from "../../src/system/cgroup.ts";
import { crunProgram } from "../support/agent-config.ts";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

interface Value {
  readonly value: string;
}
interface ListedStats {
  readonly attributes: { readonly id: string; readonly metadata: { readonly name: string } };
  readonly cpu?: { readonly timestamp: string; readonly usageCoreNanoSeconds: Value; readonly usageNanoCores?: Value };
  readonly memory?: { readonly workingSetBytes: Value };
  readonly writableLayer?: {
    readonly usedBytes: Value;
    readonly inodesUsed: Value;
    readonly fsId: { mountpoint: string };
  };
}

const limitBytes = 256 << 20;
/** Each container has a PID namespace of its own, so that no process holds one for the pod. */
const apart = { security_context: { namespace_options: { pid: "CONTAINER" } } } as const;
const burn = "while :; do :; done";

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "crun"))("statistics", () => {
  const shim = "containerd-shim-runc-v2";
  const handlers = { runc: { shim, binary: "runc" }, crun: { shim, binary: crunProgram } };
  const world = useWorld({ overrides: { runtime: { default_handler: "runc", handlers } } });

  test.each(["runc", "crun"])("crictl stats tells what a container of %s takes", async (handler) => {
    const { crictl } = world();
    const linux = { resources: { memory_limit_in_bytes: String(limitBytes) } };
    const script = "dd if=/dev/zero of=/root/file bs=1M count=3; while :; do :; done";
    const container = { linux, labels: { run: handler } };
    const busy = await runContainer(world(), ["/bin/sh", "-c", script], { handler, container });
    await eventually(
      "the file",
      async () =>
        (await execOutput(world(), busy.containerId, "stat", "-c", "%s", "/root/file")).trim() === String(3 << 20),
    );
    const listed = await eventually(
      "its disk use",
      async () => {
        const { stats } = await crictl.json<{ stats: ListedStats[] }>("stats", "--label", `run=${handler}`);
        expect(stats).toHaveLength(1);
        return Number(stats[0]?.writableLayer?.usedBytes.value ?? 0) >= 3 << 20 && stats[0];
      },
      40_000,
    );
    expect(listed).toMatchObject({
      attributes: { id: busy.containerId, metadata: { name: "main" }, labels: { run: handler } },
      writableLayer: { fsId: { mountpoint: world().agent.instance.root } },
    });
    // The layer's root, a directory of the image that was copied up, and the file in it.
    expect(listed.writableLayer?.inodesUsed.value).toBe("3");
    const { cpu, memory } = listed;
    expect(Number(cpu?.usageCoreNanoSeconds.value)).toBeGreaterThan(0);
    expect(Number(memory?.workingSetBytes.value)).toBeGreaterThan(0);
    expect(Number(memory?.workingSetBytes.value)).toBeLessThan(limitBytes);

    const printed = await crictl.run("stats", busy.containerId);
    // It clears the screen first.
    const [head = "", row = ""] = printed
      .slice(printed.indexOf("CONTAINER"))
      .split("\n")
      .map((line) => line.trim());
    expect(head.split(/\s{2,}/)).toEqual(["CONTAINER", "NAME", "CPU %", "MEM", "DISK", "INODES", "SWAP"]);
    const [id, name, percent] = row.split(/\s{2,}/);
    expect([id, name]).toEqual([busy.containerId.slice(0, 13), "main"]);
    expect(Number(percent)).toBeGreaterThan(5);
  });

  test("the rate comes with the second reading, disk use with its age, and available memory with a limit", async () => {
    const { client } = world();
    const linux = { resources: { memory_limit_in_bytes: String(limitBytes) } };
    const busy = await runContainer(world(), ["/bin/sh", "-c", `mkdir /root/a; ${burn}`], { container: { linux } });
    const read = async () => (await client.call("ContainerStats", { container_id: busy.containerId })).stats;
    const first = await read();
    expect(first?.cpu).toMatchObject({ usage_nano_cores: null, psi: null });
    expect(Number(first?.memory?.available_bytes?.value)).toBe(
      limitBytes - Number(first?.memory?.working_set_bytes?.value),
    );
    const second = await eventually("a rate", async () => {
      const stats = await read();
      return stats !== null && stats.cpu?.usage_nano_cores !== null && stats;
    });
    const cores = Number(second.cpu?.usage_nano_cores?.value) / 1e9;
    expect(cores).toBeGreaterThan(0.05);
    expect(cores).toBeLessThan(1.5);
    expect(BigInt(second.cpu?.timestamp ?? 0)).toBeGreaterThan(BigInt(first?.cpu?.timestamp ?? 0));
    expect(BigInt(second.cpu?.usage_core_nano_seconds?.value ?? 0)).toBeGreaterThan(
      BigInt(first?.cpu?.usage_core_nano_seconds?.value ?? 0),
    );
    // The layer's own directory and the one made in it, with its parent.
    expect(Number(second.writable_layer?.inodes_used?.value)).toBeGreaterThanOrEqual(1);
    expect(second.writable_layer?.timestamp).not.toBe("0");
  });

  test("containers that don't run are listed without figures of the kernel, and unknown ones are not there", async () => {
    const { client, crictl } = world();
    const ended = await runContainer(world(), ["/bin/sh", "-c", "exit 0"]);
    await eventually("its end", async () => {
      const { status } = await client.call("ContainerStatus", { container_id: ended.containerId });
      return status?.state === "CONTAINER_EXITED";
    });
    const { stats } = await client.call("ListContainerStats", { filter: { id: ended.containerId.slice(0, 10) } });
    expect(stats).toMatchObject([{ attributes: { id: ended.containerId }, cpu: null, memory: null, swap: null }]);
    expect(await crictl.run("stats", "--all", "--id", ended.containerId)).toContain("main");
    expect(await client.call("ListContainerStats", { filter: { id: "0123456789abc" } })).toEqual({ stats: [] });
    await expect(client.call("ContainerStats", { container_id: "0123456789abc" })).rejects.toMatchObject({ code: 5 });
    await expect(client.call("PodSandboxStats", { pod_sandbox_id: "0123456789abc" })).rejects.toMatchObject({
      code: 5,
    });
    await expect(client.call("ContainerStats", {})).rejects.toMatchObject({ code: 3 });
  });

  test("lists and streams say the same, filtered the same way", async () => {
    const { client } = world();
    const one = await runContainer(world(), [], { container: { labels: { which: "one" } } });
    const two = await runContainer(world(), [], { container: { labels: { which: "two" } } });
    const filters = [
      [{ id: one.containerId }, [one.containerId]],
      [{ pod_sandbox_id: two.podId.slice(0, 12) }, [two.containerId]],
      [{ label_selector: { which: "two" } }, [two.containerId]],
      [{ label_selector: { which: "three" } }, []],
      [null, [one.containerId, two.containerId]],
    ] as const;
    for (const [filter, ids] of filters) {
      const { stats } = await client.call("ListContainerStats", { filter });
      expect(stats.map(({ attributes }) => attributes?.id)).toEqual(ids);
      const streamed: (string | undefined)[] = [];
      for await (const { container_stats } of await client.stream("StreamContainerStats", { filter })) {
        streamed.push(...container_stats.map(({ attributes }) => attributes?.id));
      }
      expect(streamed).toEqual(ids);
    }
    const pods: (string | undefined)[] = [];
    for await (const { pod_sandbox_stats } of await client.stream("StreamPodSandboxStats", {})) {
      pods.push(...pod_sandbox_stats.map(({ attributes }) => attributes?.id));
    }
    expect(pods).toEqual([one.podId, two.podId]);
  });

  test("crictl statsp tells a pod's own figures: network, processes, and its containers", async () => {
    const { client, crictl } = world();
    const running = await runContainer(world(), ["/bin/sh", "-c", "sleep 3600 & wait"], {
      pod: { linux: apart },
      container: { linux: apart },
    });
    const before = await podStats(running.podId);
    await execOutput(
      world(),
      running.containerId,
      "sh",
      "-c",
      "ping -c 3 -i 0.1 $(ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p') || true",
    );
    const after = await podStats(running.podId);
    expect(after.linux?.network?.default_interface?.name).toBe("eth0");
    expect(after.linux?.network?.interfaces.map(({ name }) => name)).toEqual(["eth0"]);
    const sent = (stats: typeof after) => Number(stats.linux?.network?.default_interface?.tx_bytes?.value);
    expect(sent(after)).toBeGreaterThan(sent(before));
    expect(after.linux?.process?.process_count?.value).toBe("2");
    expect(after.linux?.containers).toMatchObject([{ attributes: { id: running.containerId } }]);
    expect(Number(after.linux?.cpu?.usage_core_nano_seconds?.value)).toBeGreaterThan(0);
    expect(Number(after.linux?.memory?.usage_bytes?.value)).toBeGreaterThan(0);

    const table = (await crictl.run("statsp", "--id", running.podId)).split("\n");
    expect(table[1]).toContain(running.podId.slice(0, 13));
    const listed = await crictl.json<{ stats: { attributes: { id: string } }[] }>("statsp");
    expect(listed.stats.map(({ attributes }) => attributes.id)).toEqual([running.podId]);

    await client.call("StopPodSandbox", { pod_sandbox_id: running.podId });
    expect(await client.call("ListPodSandboxStats", {})).toEqual({ stats: [] });
    expect((await podStats(running.podId)).linux).toMatchObject({ network: null, containers: [{ cpu: null }] });
  });

  test("a pod's group is its caller's when it has it alone, and else its parts are added up", async () => {
    const layout = detectCgroups();
    const parent = `/podling-test-stats-${process.pid}`;
    const tree = layout.kind === "v2" ? layout.trees[0] : layout.treeOf.get("memory");
    mkdirSync(`${tree}${parent}`);
    using _parent = {
      [Symbol.dispose]: () => {
        for (const root of layout.trees) rmdirSync(`${root}${parent}`);
      },
    };
    writeFileSync(
      `${tree}${parent}/${layout.kind === "v2" ? "memory.max" : "memory.limit_in_bytes"}`,
      String(limitBytes),
    );
    const pod = () => podConfig(world(), { linux: { ...apart, cgroup_parent: parent } });
    const one = await runContainer(world(), [], { pod: pod(), container: { linux: apart } });
    const alone = (await podStats(one.podId)).linux;
    expect(Number(alone?.memory?.available_bytes?.value)).toBe(
      limitBytes - Number(alone?.memory?.working_set_bytes?.value),
    );
    const script = "sleep 3600 & sleep 3600 & wait";
    const two = await runContainer(world(), ["/bin/sh", "-c", script], { pod: pod(), container: { linux: apart } });
    const counts = [(await podStats(one.podId)).linux, (await podStats(two.podId)).linux];
    expect(counts.map((linux) => linux?.process?.process_count?.value)).toEqual(["1", "3"]);
    expect(counts.map((linux) => linux?.memory?.available_bytes)).toEqual([null, null]);
    for (const { podId } of [one, two]) {
      await world().client.call("StopPodSandbox", { pod_sandbox_id: podId });
      await world().client.call("RemovePodSandbox", { pod_sandbox_id: podId });
    }
  });

  test("a pod whose namespace and group are damaged is listed with what can be read, and so are the others", async () => {
    const { client, agent } = world();
    const [bad, good] = [await runContainer(world()), await runContainer(world())];
    const pin = `/run/netns/podling-${agent.instance.name}-${bad.podId.slice(0, 13)}`;
    expect((await runCommand(["umount", pin])).exitCode).toBe(0);
    const { stats } = await client.call("ListPodSandboxStats", {});
    expect(
      stats.map(({ attributes, linux }) => [attributes?.id, linux?.network !== null, linux?.cpu !== null]),
    ).toEqual([
      [bad.podId, false, true],
      [good.podId, true, true],
    ]);
  });

  async function podStats(podId: string) {
    const { stats } = await world().client.call("PodSandboxStats", { pod_sandbox_id: podId });
    if (stats === null) throw new Error("No stats");
    return stats;
  }
});

import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

interface ShownPod {
  readonly id: string;
  readonly metadata: { name: string; namespace: string; uid: string; attempt: number };
  readonly state: string;
  readonly createdAt: string;
  readonly labels: Record<string, string>;
  readonly runtimeHandler: string;
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("crictl and pods", () => {
  const world = useWorld();
  const pods = async (...filters: string[]) =>
    (await world().crictl.json<{ items: ShownPod[] }>("pods", ...filters)).items;

  test("runp, pods, inspectp, stopp and rmp take a pod through its life", async () => {
    const { crictl } = world();
    const config = podConfig(world(), { labels: { app: "web" }, annotations: { note: "a b" } });
    const id = await crictl.run("runp", crictl.file(config));
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await pods()).toMatchObject([
      { id, metadata: config.metadata, state: "SANDBOX_READY", labels: { app: "web" }, annotations: { note: "a b" } },
    ]);
    const table = await crictl.run("pods");
    expect(table).toMatch(/^POD ID\s+CREATED\s+STATE\s+NAME\s+NAMESPACE\s+ATTEMPT\s+RUNTIME/);
    expect(table).toMatch(new RegExp(`${id.slice(0, 13)}\\s+.*Ready\\s+${config.metadata?.name}\\s+default\\s+0`));

    const { status } = await crictl.json<{
      status: {
        id: string;
        state: string;
        createdAt: string;
        network: { ip: string; additionalIps: { ip: string }[] };
      };
    }>("inspectp", id.slice(0, 13));
    const block = world().agent.instance.cidr.split(".").slice(0, 2).join(".");
    expect(status).toMatchObject({ id, state: "SANDBOX_READY", metadata: config.metadata, labels: { app: "web" } });
    expect(status.network.ip.startsWith(`${block}.`)).toBe(true);
    expect(status.network.additionalIps[0]?.ip).toMatch(/^fd/);
    expect(Math.abs(Date.parse(status.createdAt) - Date.now())).toBeLessThan(60_000);

    expect(await crictl.run("stopp", id.slice(0, 13))).toContain("Stopped sandbox");
    await crictl.run("stopp", id);
    expect(await pods()).toMatchObject([{ id, state: "SANDBOX_NOTREADY" }]);
    expect(await crictl.run("rmp", id)).toContain("Removed sandbox");
    expect(await pods()).toEqual([]);
  });

  test("filters narrow the list", async () => {
    const { crictl } = world();
    const run = async (name: string, labels: Record<string, string>, namespace = "default") =>
      crictl.run(
        "runp",
        crictl.file(podConfig(world(), { metadata: { name, namespace, uid: name, attempt: 0 }, labels })),
      );
    const one = await run("alpha-one", { app: "alpha", tier: "web" });
    const two = await run("alpha-two", { app: "alpha" }, "other");
    const three = await run("beta", { app: "beta" });
    await crictl.run("stopp", three);
    const table: [readonly string[], readonly string[]][] = [
      [[], [one, two, three]],
      [
        ["--label", "app=alpha"],
        [one, two],
      ],
      [["--label", "app=alpha", "--label", "tier=web"], [one]],
      [
        ["--state", "ready"],
        [one, two],
      ],
      [["--state", "notready"], [three]],
      [["--id", two.slice(0, 13)], [two]],
      [
        ["--name", "alpha"],
        [one, two],
      ],
      [["--namespace", "other"], [two]],
      [["--label", "app=alpha", "--state", "notready"], []],
      [["--id", "f".repeat(64)], []],
    ];
    for (const [filters, want] of table) {
      expect({ filters, ids: (await pods(...filters)).map(({ id }) => id).sort() }).toEqual({
        filters,
        ids: [...want].sort(),
      });
    }
    // Newest first, as crictl sorts by creation time.
    expect((await crictl.run("pods", "-q", "--no-trunc")).split("\n")).toEqual([three, two, one]);
  });

  test("stop and remove of an unknown pod succeed; its status is not found", async () => {
    const { client, crictl } = world();
    const id = "0123456789ab".repeat(5).padEnd(64, "0");
    await client.call("StopPodSandbox", { pod_sandbox_id: id });
    await client.call("RemovePodSandbox", { pod_sandbox_id: id });
    const refusal = await crictl.refused("inspectp", id);
    expect(refusal).toContain("code = NotFound");
    expect(refusal).toContain(id);
  });

  test("removing a pod that runs containers takes them along", async () => {
    const { client } = world();
    const { podId } = await runContainer(world());
    await client.call("RemovePodSandbox", { pod_sandbox_id: podId });
    expect((await client.call("ListContainers", {})).containers).toEqual([]);
  });

  test("a pod with a shared PID namespace has one init for all its containers", async () => {
    const { client } = world();
    const linux = { security_context: { namespace_options: { pid: "POD" as const } } };
    const pod = podConfig(world(), { linux });
    const running = await runContainer(world(), [], { pod, container: { linux } });
    const processes = await execOutput(world(), running.containerId, "ps", "-o", "pid,args");
    expect(processes).toContain("sleep 3600");
    expect(processes).toMatch(/^\s+1 (?!\/bin\/sleep)/m);
    await client.call("RemovePodSandbox", { pod_sandbox_id: running.podId });
  });

  test("a pod whose PID namespace is killed from outside is not ready, and its containers have ended", async () => {
    const { client } = world();
    const { podId, containerId } = await runContainer(world());
    const shown = await client.call("PodSandboxStatus", { pod_sandbox_id: podId, verbose: true });
    const { pid } = JSON.parse(shown.info["info"] ?? "{}") as { pid: number };
    process.kill(pid, "SIGKILL");
    await eventually("a pod that is not ready", async () => {
      const { status } = await client.call("PodSandboxStatus", { pod_sandbox_id: podId });
      return status?.state === "SANDBOX_NOTREADY";
    });
    const { status } = await client.call("ContainerStatus", { container_id: containerId });
    expect(status).toMatchObject({ state: "CONTAINER_EXITED", exit_code: 137 });
    await client.call("RemovePodSandbox", { pod_sandbox_id: podId });
  });
});

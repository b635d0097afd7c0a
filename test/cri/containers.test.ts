import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { containerConfig, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

interface ShownContainer {
  readonly id: string;
  readonly podSandboxId: string;
  readonly metadata: { name: string; attempt: number };
  readonly image: { image: string };
  readonly imageId: string;
  readonly state: string;
  readonly labels: Record<string, string>;
}
interface ShownStatus {
  readonly status: {
    readonly id: string;
    readonly state: string;
    readonly exitCode: number;
    readonly reason: string;
    readonly message: string;
    readonly createdAt: string;
    readonly startedAt: string;
    readonly finishedAt: string;
    readonly logPath: string;
    readonly image: { image: string };
    readonly imageRef: string;
  };
  readonly info: { readonly pid: number };
}

/** "2026-01-02T03:04:05.123456789Z stdout F text" */
const logLine = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d) (stdout|stderr) [FP] /;

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("crictl and containers", () => {
  const world = useWorld();
  const ps = async (...filters: string[]) =>
    (await world().crictl.json<{ containers: ShownContainer[] }>("ps", ...filters)).containers;
  const inspect = (id: string) => world().crictl.json<ShownStatus>("inspect", id);
  const exited = (id: string) =>
    eventually(`the exit of ${id}`, async () => {
      const shown = await inspect(id);
      return shown.status.state === "CONTAINER_EXITED" && shown;
    });

  test("create, start, ps, inspect, logs, stop and rm take a container through its life", async () => {
    const { crictl, busybox } = world();
    await crictl.run("pull", busybox.reference);
    const pod = podConfig(world());
    const podFile = crictl.file(pod);
    const podId = await crictl.run("runp", podFile);
    const script = 'echo out; echo err >&2; trap "exit 7" TERM; sleep 3600 & wait';
    const config = containerConfig(world(), "web", ["/bin/sh", "-c", script], { labels: { app: "web" } });
    const id = await crictl.run("create", podId.slice(0, 13), crictl.file(config), podFile);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await ps()).toEqual([]);
    expect(await ps("-a")).toMatchObject([
      { id, podSandboxId: podId, metadata: config.metadata, state: "CONTAINER_CREATED", imageId: busybox.id },
    ]);

    await crictl.run("start", id.slice(0, 13));
    const table = await crictl.run("ps");
    expect(table).toMatch(/^CONTAINER\s+IMAGE\s+CREATED\s+STATE\s+NAME\s+ATTEMPT\s+POD ID\s+POD/);
    expect(table).toMatch(new RegExp(`${id.slice(0, 13)}.*Running\\s+web\\s+0\\s+${podId.slice(0, 13)}`));
    const { status, info } = await inspect(id);
    expect(status).toMatchObject({
      id,
      state: "CONTAINER_RUNNING",
      image: { image: busybox.reference },
      imageRef: busybox.digestReference,
      logPath: join(pod.log_directory ?? "", "web.log"),
    });
    expect(readFileSync(`/proc/${info.pid}/cgroup`, "utf8")).toContain(
      `/podling-${world().agent.instance.name}/${podId}/${id}`,
    );
    expect(Date.parse(status.startedAt)).toBeGreaterThanOrEqual(Date.parse(status.createdAt));

    await eventually("both lines in the log", async () => (await crictl.run("logs", id)).includes("out"));
    const raw = readFileSync(status.logPath, "utf8").trimEnd().split("\n");
    expect(raw.filter((line) => !logLine.test(line))).toEqual([]);
    expect(raw.map((line) => line.split(" ").slice(1).join(" ")).sort()).toEqual(["stderr F err", "stdout F out"]);

    expect(await crictl.run("stop", "--timeout", "10", id)).toBe(id);
    await crictl.run("stop", id);
    const stopped = await inspect(id);
    expect(stopped.status).toMatchObject({ state: "CONTAINER_EXITED", exitCode: 7, reason: "Error" });
    expect(Date.parse(stopped.status.finishedAt)).toBeGreaterThanOrEqual(Date.parse(stopped.status.startedAt));
    expect(await crictl.run("rm", "--keep-logs", id)).toBe(id);
    expect(await ps("-a")).toEqual([]);
    expect(readFileSync(status.logPath, "utf8")).toContain("stdout F out");
  });

  const endings: readonly [string, readonly string[], object][] = [
    ["success", ["/bin/true"], { exitCode: 0, reason: "Completed" }],
    ["a code of its own", ["/bin/sh", "-c", "exit 42"], { exitCode: 42, reason: "Error" }],
    ["a signal", ["/bin/sh", "-c", "kill -KILL $$"], { exitCode: 137, reason: "Error" }],
  ];
  test.each(endings)("a container that ends with %s says so", async (_, command, want) => {
    const { containerId } = await runContainer(world(), command);
    expect((await exited(containerId)).status).toMatchObject(want);
  });

  test("a container that eats more memory than it may is OOMKilled", async () => {
    const linux = { resources: { memory_limit_in_bytes: String(32 << 20) } };
    const { containerId } = await runContainer(world(), ["/bin/sh", "-c", "tail /dev/zero"], { container: { linux } });
    expect((await exited(containerId)).status).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
  });

  test("a container that ignores SIGTERM is killed when its time is up", async () => {
    const { containerId } = await runContainer(world(), ["/bin/sh", "-c", 'trap "" TERM; while :; do sleep 1; done']);
    const startedAt = performance.now();
    await world().crictl.run("stop", "--timeout", "1", containerId);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect((await inspect(containerId)).status).toMatchObject({ state: "CONTAINER_EXITED", exitCode: 137 });
  });

  test("a program that does not exist fails the start with its name, and the container says why", async () => {
    const { client, crictl, busybox } = world();
    await crictl.run("pull", busybox.reference);
    const pod = podConfig(world());
    const podId = await crictl.run("runp", crictl.file(pod));
    const config = containerConfig(world(), "bad", ["/no/such/program"]);
    const created = await client.call("CreateContainer", { pod_sandbox_id: podId, config, sandbox_config: pod });
    const refusal = await crictl.refused("start", created.container_id);
    expect(refusal).toContain("/no/such/program");
    const { status } = await inspect(created.container_id);
    expect(status).toMatchObject({ state: "CONTAINER_EXITED", reason: "StartError", exitCode: 128 });
    expect(status.message).toContain("/no/such/program");
    // The pod is none the worse.
    const next = containerConfig(world(), "good");
    const good = await client.call("CreateContainer", { pod_sandbox_id: podId, config: next, sandbox_config: pod });
    await crictl.run("start", good.container_id);
  });

  test("filters narrow the list", async () => {
    const { client } = world();
    const first = await runContainer(world(), [], { container: { labels: { app: "alpha" } } });
    const second = await runContainer(world(), ["/bin/true"], { container: { labels: { app: "beta" } } });
    await exited(second.containerId);
    const third = await client.call("CreateContainer", {
      pod_sandbox_id: first.podId,
      config: containerConfig(world(), "other"),
      sandbox_config: first.pod,
    });
    const [one, two, three] = [first.containerId, second.containerId, third.container_id];
    const table: [readonly string[], readonly string[]][] = [
      [[], [one]],
      [["-a"], [one, two, three]],
      [["-a", "--label", "app=beta"], [two]],
      [["--state", "exited"], [two]],
      [["--state", "created"], [three]],
      [
        ["-a", "--pod", first.podId.slice(0, 13)],
        [one, three],
      ],
      [["-a", "--id", one.slice(0, 13)], [one]],
      [["-a", "--name", "other"], [three]],
      [["-a", "--label", "app=none"], []],
    ];
    for (const [filters, want] of table) {
      const ids = (await ps(...filters)).map(({ id }) => id).sort();
      expect({ filters, ids }).toEqual({ filters, ids: [...want].sort() });
    }
  });

  test("stop and remove of an unknown container succeed; all else is not found and names it", async () => {
    const { client, crictl } = world();
    const id = "fedcba987654".repeat(5).padEnd(64, "0");
    await client.call("StopContainer", { container_id: id });
    await client.call("RemoveContainer", { container_id: id });
    for (const args of [
      ["inspect", id],
      ["start", id],
      ["exec", "-s", id, "true"],
      ["logs", id],
    ]) {
      const refusal = await crictl.refused(...args);
      expect(refusal).toContain("code = NotFound");
      expect(refusal).toContain(id);
    }
    await expect(client.call("ReopenContainerLog", { container_id: id })).rejects.toMatchObject({ code: 5 });
  });

  test("a running container is removed by rm -f", async () => {
    const { containerId } = await runContainer(world());
    await world().crictl.run("rm", "-f", containerId);
    expect(await ps("-a")).toEqual([]);
  });

  test("a rotated log goes on in a new file", async () => {
    const { client } = world();
    const script = 'i=0; while :; do echo "line $i"; i=$((i+1)); sleep 0.05; done';
    const { containerId, logPath } = await runContainer(world(), ["/bin/sh", "-c", script]);
    const lines = (path: string) =>
      readFileSync(path, "utf8")
        .trimEnd()
        .split("\n")
        .map((line) => line.split(" ").slice(3).join(" "));
    await eventually("some lines", () => lines(logPath).length > 3);
    renameSync(logPath, `${logPath}.1`);
    await client.call("ReopenContainerLog", { container_id: containerId });
    await eventually("lines in the new file", () => lines(logPath).length > 3);
    const all = [...lines(`${logPath}.1`), ...lines(logPath)];
    expect(all).toEqual(all.map((_, index) => `line ${index}`));
  });

  test("a long line comes in parts, and none of it is lost", async () => {
    const script = "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end";
    const { containerId, logPath } = await runContainer(world(), ["/bin/sh", "-c", script]);
    await exited(containerId);
    const raw = await eventually("the last line", () => {
      const text = readFileSync(logPath, "utf8");
      return text.includes("F end") && text.trimEnd().split("\n");
    });
    expect(raw.filter((line) => line.includes(" P ")).length).toBeGreaterThan(3);
    const text = raw.map((line) => line.split(" ")[3] ?? "").join("");
    expect(text).toBe(`${"x".repeat(100_000)}end`);
  });
});

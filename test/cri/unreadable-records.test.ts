import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { status as Code } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { readProcessStat, signalProcess } from "../../src/system/process.ts";
import { runCommand } from "../support/command.ts";
import { eventually } from "../support/eventually.ts";
import { instanceProcesses, networkPins } from "../support/instance-objects.ts";
import { execOutput, type RunningContainer, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld, type World } from "../support/world.ts";

const podling = join(import.meta.dirname, "../../bin/podling");

type Table = "sandboxes" | "containers" | "enis";

/** Changes the bodies of all rows of a table, with the agent down. @returns the bodies from before, by id */
function rewrite({ agent }: World, table: Table, change: (body: string) => string): ReadonlyMap<string, string> {
  const database = new DatabaseSync(join(agent.instance.root, "records.db"));
  try {
    const rows = database.prepare(`SELECT id, body FROM ${table}`).all();
    const update = database.prepare(`UPDATE ${table} SET body = ? WHERE id = ?`);
    for (const { id, body } of rows) update.run(change(String(body)), String(id));
    return new Map(rows.map(({ id, body }) => [String(id), String(body)]));
  } finally {
    database.close();
  }
}

async function look({ client }: World, { podId, containerId }: RunningContainer) {
  const pod = await client.call("PodSandboxStatus", { pod_sandbox_id: podId });
  const container = await client.call("ContainerStatus", { container_id: containerId, verbose: true });
  const { pid } = JSON.parse(container.info["info"] ?? "{}") as { pid: number };
  return { pod: pod.status, container: container.status, pid };
}

describe.skipIf(cannotRun("docker-registry", "runc"))("an agent whose records can't be read", () => {
  const world = useWorld();
  const echoing = ["/bin/sh", "-c", "while :; do echo line; sleep 0.1; done"];

  test.each<[string, (body: string) => string]>([
    ["no JSON", (body) => body.slice(0, body.length / 2)],
    ["an unknown state", (body) => body.replace(/"state":("\w+"|\{"kind":"\w+")/, '"state":"dreaming"')],
    ["empty", () => ""],
  ])("rebuilds them from what the host has, beside pods that run on: %s", async (_, damage) => {
    const { agent, client } = world();
    const running = await runContainer(world(), echoing);
    const before = await look(world(), running);
    await agent.kill();
    for (const table of ["sandboxes", "containers", "enis"] as const) rewrite(world(), table, damage);
    await agent.start();
    expect(await look(world(), running)).toEqual(before);
    const size = readFileSync(running.logPath).length;
    await eventually("more of its log", () => readFileSync(running.logPath).length > size);
    expect(await execOutput(world(), running.containerId, "ip", "addr")).toContain(before.pod?.network?.ip);
    const kept = readdirSync(join(agent.instance.root, "quarantine"));
    expect(kept).toContain(`pod-sandbox-${running.podId}.txt`);
    expect(kept).toContain(`container-${running.containerId}.txt`);
    expect(agent.log()).toContain("rebuilt from the copy in its bundle");
    const doctor = await runCommand([podling, "doctor", "--config", agent.configPath]);
    expect(doctor.stdout).toContain(join(agent.instance.root, "quarantine", `container-${running.containerId}.txt`));
    const other = await runContainer(world());
    const { status } = await client.call("PodSandboxStatus", { pod_sandbox_id: other.podId });
    expect(status?.network?.ip).not.toBe(before.pod?.network?.ip);
  });

  test("leaves alone what it can't rebuild either, until somebody mends it", async () => {
    const { agent, client } = world();
    const running = await runContainer(world(), echoing);
    const before = await look(world(), running);
    await agent.kill();
    const garble = () => "garbage";
    const [pods, containers] = [rewrite(world(), "sandboxes", garble), rewrite(world(), "containers", garble)];
    const enis = rewrite(world(), "enis", garble);
    const { state } = agent.instance;
    const copies = [join(state, "sandboxes", running.podId), join(state, "containers", running.containerId)];
    for (const bundle of copies) writeFileSync(join(bundle, "record.json"), "garbage");
    await agent.start();
    await expect(look(world(), running)).rejects.toMatchObject({ code: Code.NOT_FOUND });
    // Its image may go; the layers it runs from stay.
    await client.call("RemoveImage", { image: { image: world().busybox.id } });
    expect(readFileSync(`/proc/${before.pid}/comm`, "utf8").trim()).toBe("sh");
    const other = await runContainer(world());
    const { status } = await client.call("PodSandboxStatus", { pod_sandbox_id: other.podId });
    expect(status?.network?.ip).not.toBe(before.pod?.network?.ip);

    await agent.kill();
    const mend = (table: Table, bodies: ReadonlyMap<string, string>) => {
      const database = new DatabaseSync(join(agent.instance.root, "records.db"));
      for (const [id, body] of bodies) database.prepare(`UPDATE ${table} SET body = ? WHERE id = ?`).run(body, id);
      database.close();
    };
    mend("sandboxes", pods);
    mend("containers", containers);
    mend("enis", enis);
    await agent.start();
    expect(await look(world(), running)).toEqual(before);
    expect(await execOutput(world(), running.containerId, "cat", "/bin/busybox")).not.toBe("");
  });

  test("knows a shim again whose address is lost", async () => {
    const { agent } = world();
    const running = await runContainer(world(), echoing);
    const before = await look(world(), running);
    await agent.kill();
    rmSync(join(agent.instance.state, "sandboxes", running.podId, "shim.json"));
    await agent.start();
    expect(await look(world(), running)).toEqual(before);
    expect(await execOutput(world(), running.containerId, "echo", "here")).toBe("here\n");
  });

  test("after a reboot shows pods as not ready and their containers as ended, and removes them", async () => {
    const { agent, client } = world();
    const running = await runContainer(world(), echoing);
    await agent.kill();
    // What a reboot leaves: the records of another boot, and nothing of what they tell.
    for (const { pid } of instanceProcesses(agent.instance.name)) {
      // A shim's end may take its container's process along before its turn comes.
      const found = readProcessStat(pid);
      if (found !== undefined) signalProcess(found, "SIGKILL");
    }
    await eventually("the processes' end", () => instanceProcesses(agent.instance.name).length === 0);
    rewrite(world(), "sandboxes", (body) => body.replace(/"bootId":"[^"]*"/, '"bootId":"another"'));
    expect(networkPins(agent.instance.name).length).toBeGreaterThan(0);
    await agent.start();
    const { pod, container } = await look(world(), running);
    expect(pod).toMatchObject({ state: "SANDBOX_NOTREADY", network: { ip: "" } });
    expect(container).toMatchObject({ state: "CONTAINER_EXITED", exit_code: 255, reason: "Unknown" });
    await client.call("RemovePodSandbox", { pod_sandbox_id: running.podId });
  });
});

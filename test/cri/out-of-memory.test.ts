import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { detectCgroups } from "../../src/system/cgroup.ts";
import { eventually } from "../support/eventually.ts";
import { instanceProcesses } from "../support/instance-objects.ts";
import { isAlive } from "../support/is-alive.ts";
import { containerConfig, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

const limitBytes = 24 << 20;
/** Takes 200 MiB at once. */
const hog = "dd if=/dev/zero of=/dev/null bs=200M count=1";
const limited = { linux: { resources: { memory_limit_in_bytes: String(limitBytes) } } };

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "crun"))("a container that runs out of memory", () => {
  const world = useWorld();

  const ending = (containerId: string) =>
    eventually(`the end of ${containerId}`, async () => {
      const { status } = await world().client.call("ContainerStatus", { container_id: containerId });
      return status?.state === "CONTAINER_EXITED" && { reason: status.reason, exit_code: status.exit_code };
    });

  test.each([
    ["runc", "its first process", `exec ${hog}`, { reason: "OOMKilled", exit_code: 137 }],
    ["crun", "its first process", `exec ${hog}`, { reason: "OOMKilled", exit_code: 137 }],
    ["runc", "a child", `${hog}; exit $?`, { reason: "OOMKilled", exit_code: 137 }],
    [
      "crun",
      "a child, of which it makes an exit code of its own",
      `${hog} || exit 9`,
      { reason: "OOMKilled", exit_code: 9 },
    ],
    ["runc", "nothing: it kills itself", "kill -KILL $$", { reason: "Error", exit_code: 137 }],
    [
      "crun",
      "nothing: it comes close to its limit and leaves",
      "dd if=/dev/zero of=/dev/null bs=8M count=1",
      { reason: "Completed", exit_code: 0 },
    ],
  ])("on %s, where the kernel kills %s", async (handler, _what, script, end) => {
    const running = await runContainer(world(), ["/bin/sh", "-c", script], { handler, container: limited });
    expect(await ending(running.containerId)).toEqual(end);
  });

  test("is told from its neighbour when the limit is the pod's", async () => {
    const { client } = world();
    const parent = `/podling-test-oom-${process.pid}`;
    using _group = limitedGroup(parent);
    const pod = podConfig(world(), { linux: { cgroup_parent: parent } });
    const hogging = await runContainer(world(), ["/bin/sh", "-c", `sleep 0.5; exec ${hog}`], { pod });
    const config = containerConfig(world(), "neighbour", ["/bin/sh", "-c", "trap 'exit 4' TERM; sleep 3600 & wait"]);
    const { podId } = hogging;
    const neighbour = await client.call("CreateContainer", { pod_sandbox_id: podId, config, sandbox_config: pod });
    await client.call("StartContainer", { container_id: neighbour.container_id });
    expect(await ending(hogging.containerId)).toEqual({ reason: "OOMKilled", exit_code: 137 });
    await client.call("StopContainer", { container_id: neighbour.container_id, timeout: "10" });
    expect(await ending(neighbour.container_id)).toEqual({ reason: "Error", exit_code: 4 });
    await client.call("StopPodSandbox", { pod_sandbox_id: podId });
    await client.call("RemovePodSandbox", { pod_sandbox_id: podId });
  });

  test.each([false, true])(
    "while the agent is away is told all the same (its shim is gone too: %s)",
    async (shimKilled) => {
      const { agent, client } = world();
      const script = `until [ -e /tmp/go ]; do sleep 0.05; done; exec ${hog}`;
      const running = await runContainer(world(), ["/bin/sh", "-c", script], { container: limited });
      const { info } = await client.call("ContainerStatus", { container_id: running.containerId, verbose: true });
      const { pid } = JSON.parse(info["info"] ?? "{}") as { pid: number };
      const shims = instanceProcesses(agent.instance.name).filter(({ what }) => what.startsWith("shim"));
      await agent.kill();
      writeFileSync(`/proc/${pid}/root/tmp/go`, "");
      await eventually("the container's end", () => !isAlive(pid));
      if (shimKilled) for (const shim of shims) process.kill(shim.pid, "SIGKILL");
      await agent.start();
      expect(await ending(running.containerId)).toEqual({ reason: "OOMKilled", exit_code: 137 });
    },
  );
});

/** A cgroup with a memory limit, as kubelet makes one for a pod. */
function limitedGroup(path: string): Disposable {
  const layout = detectCgroups();
  const tree = layout.kind === "v2" ? layout.trees[0] : layout.treeOf.get("memory");
  const directory = `${tree}${path}`;
  mkdirSync(directory);
  writeFileSync(`${directory}/${layout.kind === "v2" ? "memory.max" : "memory.limit_in_bytes"}`, String(limitBytes));
  return {
    [Symbol.dispose]: () => {
      for (const root of layout.trees) rmdirSync(`${root}${path}`);
    },
  };
}

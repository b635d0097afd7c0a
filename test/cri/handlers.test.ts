import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { crunProgram } from "../support/agent-config.ts";
import { execOutput, podConfig, runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

/** Both runtimes, and both protocols a shim may speak: Debian's speaks task v2, containerd 2.3's task v3. */
const handlers = {
  runc: { shim: "containerd-shim-runc-v2", binary: "runc" },
  crun: { shim: "containerd-shim-runc-v2", binary: crunProgram },
  "runc-2.3": { shim: join(import.meta.dirname, "../../tools/bin/containerd-shim-runc-v2"), binary: "runc" },
};

describe.skipIf(cannotRun("crictl", "docker-registry", "runc", "crun"))("runtime handlers", () => {
  const world = useWorld({ overrides: { runtime: { default_handler: "runc", handlers } } });

  test.each(["", ...Object.keys(handlers)])('handler "%s" runs a container within its limits', async (handler) => {
    const { client } = world();
    const linux = {
      resources: {
        memory_limit_in_bytes: String(64 << 20),
        cpu_quota: "50000",
        cpu_period: "100000",
        cpu_shares: "512",
      },
      security_context: { run_as_user: { value: "1000" } },
    };
    const running = await runContainer(world(), [], { handler, container: { linux } });
    const status = await client.call("ContainerStatus", { container_id: running.containerId, verbose: true });
    expect(status.status?.state).toBe("CONTAINER_RUNNING");
    expect((await execOutput(world(), running.containerId, "id")).trim()).toBe(
      "uid=1000(app) gid=1000(app) groups=1000(app),5000(extra)",
    );
    const { pid } = JSON.parse(status.info["info"] ?? "{}") as { pid: number };
    expect(memoryLimit(pid)).toBe(String(64 << 20));
    const { items } = await client.call("ListPodSandbox", { filter: { id: running.podId } });
    expect(items[0]?.runtime_handler).toBe(handler);
  });

  test("an unknown handler is refused by name, and nothing is left of the pod", async () => {
    const { crictl } = world();
    const refusal = await crictl.refused("runp", "--runtime", "kata", crictl.file(podConfig(world())));
    expect(refusal).toContain("code = InvalidArgument");
    expect(refusal).toContain("kata");
    expect(refusal).toContain("runc");
    expect(await crictl.run("pods", "-q")).toBe("");
  });
});

/** The memory limit of a process's cgroup, whichever version of cgroups counts memory here. */
function memoryLimit(pid: number): string {
  const membership = readFileSync(`/proc/${pid}/cgroup`, "utf8");
  const first = /^\d+:memory:(.*)$/m.exec(membership)?.[1];
  const path =
    first === undefined
      ? `/sys/fs/cgroup${/^0::(.*)$/m.exec(membership)?.[1]}/memory.max`
      : `/sys/fs/cgroup/memory${first}/memory.limit_in_bytes`;
  return readFileSync(path, "utf8").trim();
}

import { describe, expect, test } from "vitest";
import { runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))('statistics under profile "node"', () => {
  const world = useWorld({ overrides: { profile: "node" } });

  test("a pod in the host's network has figures of its own but no network, and so have its metrics", async () => {
    const { client } = world();
    const linux = { security_context: { namespace_options: { network: "NODE", pid: "CONTAINER" } } } as const;
    const { podId, containerId } = await runContainer(world(), [], { pod: { linux }, container: { linux } });
    const { stats } = await client.call("PodSandboxStats", { pod_sandbox_id: podId });
    expect(stats?.linux).toMatchObject({ network: null, process: { process_count: { value: "1" } } });
    expect(Number(stats?.linux?.memory?.usage_bytes?.value)).toBeGreaterThan(0);
    const { pod_metrics } = await client.call("ListPodSandboxMetrics", {});
    expect(pod_metrics).toMatchObject([{ metrics: [], container_metrics: [{ container_id: containerId }] }]);
  });
});

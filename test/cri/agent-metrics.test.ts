import { describe, expect, test } from "vitest";
import type { Agent } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { runContainer } from "../support/requests.ts";
import { cannotRun } from "../support/requirements.ts";
import { useWorld } from "../support/world.ts";

/** Where the agent says it serves metrics; its configuration asks for any free port. */
function metricsUrl(agent: Agent): string {
  const address = [...agent.log().matchAll(/"metricsAddress":"([^"]+)"/g)].at(-1)?.[1];
  return `http://${address}`;
}

const get = async (url: string) => {
  const response = await fetch(url);
  return { status: response.status, type: response.headers.get("content-type"), body: await response.text() };
};

/** The value of the one sample whose line begins so. */
function sample(text: string, start: string): number {
  const lines = text.split("\n").filter((line) => line.startsWith(start));
  if (lines.length !== 1) throw new Error(`${lines.length} samples begin with ${start}`);
  return Number(lines[0]?.slice(lines[0].lastIndexOf(" ") + 1));
}

describe.skipIf(cannotRun("crictl", "docker-registry", "runc"))("the agent's metrics and health", () => {
  const world = useWorld();

  test("tell that it lives and is ready, also after it was started again", async () => {
    const { agent } = world();
    for (const restart of [false, true]) {
      if (restart) {
        await agent.stop();
        await agent.start();
      }
      expect((await get(`${metricsUrl(agent)}/livez`)).body).toBe("ok\n");
      const ready = await get(`${metricsUrl(agent)}/readyz`);
      expect(ready).toMatchObject({ status: 200, body: "[+]agent ok\n[+]runtime ok\n[+]network ok\nok\n" });
    }
  });

  test("count calls, pods, containers, images and pulls", async () => {
    const { agent, client } = world();
    const read = async () => (await get(`${metricsUrl(agent)}/metrics`)).body;
    const before = await read();
    const running = await runContainer(world());
    await expect(client.call("ContainerStatus", { container_id: "0123456789abc" })).rejects.toMatchObject({ code: 5 });
    const events = await client.stream("GetContainerEvents", {});
    const text = await eventually("the subscriber", async () => {
      const now = await read();
      return sample(now, "podling_event_subscribers") === 1 && now;
    });
    await events.return?.();
    const runtime = 'grpc_type="unary",grpc_service="runtime.v1.RuntimeService"';
    const started = `grpc_server_handled_total{${runtime},grpc_method="StartContainer",grpc_code="OK"}`;
    const earlier = before.includes(started) ? sample(before, started) : 0;
    expect(sample(text, started)).toBe(earlier + 1);
    expect(
      sample(text, `grpc_server_handled_total{${runtime},grpc_method="ContainerStatus",grpc_code="NotFound"}`),
    ).toBe(1);
    expect(sample(text, `grpc_server_handling_seconds_count{${runtime},grpc_method="StartContainer"}`)).toBe(
      earlier + 1,
    );
    expect(sample(text, 'podling_pods{state="ready"}')).toBe(1);
    expect(sample(text, 'podling_containers{state="running"}')).toBe(1);
    expect(sample(text, "podling_images")).toBe(1);
    expect(sample(text, 'podling_pulls_total{outcome="done"}')).toBeGreaterThanOrEqual(1);
    expect(sample(text, 'podling_event_loop_lag_seconds{quantile="0.99"}')).toBeGreaterThanOrEqual(0);
    expect(sample(text, 'podling_ready{part="network"}')).toBe(1);
    expect(sample(text, "process_resident_memory_bytes")).toBeGreaterThan(10 << 20);

    const pods = await get(`${metricsUrl(agent)}/metrics/pods`);
    expect(pods.type).toContain("version=0.0.4");
    const { name, namespace } = running.pod.metadata ?? {};
    const labels = `pod="${name}",namespace="${namespace}",container="main",id="${running.containerId}"`;
    expect(sample(pods.body, `container_memory_working_set_bytes{${labels}`)).toBeGreaterThan(0);
    expect(sample(pods.body, `container_network_receive_bytes_total{pod="${name}"`)).toBeGreaterThanOrEqual(0);
  });
});

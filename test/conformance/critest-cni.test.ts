import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Agent } from "../support/agent.ts";
import { debianPlugins, lacksPlugins } from "../support/cni-network.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";
import { cannotRun } from "../support/requirements.ts";
import { startConformanceAgent } from "./conformance-agent.ts";
import { listSpecs, runCritest, type SpecResult } from "./critest.ts";

/** What a pod's network has a part in. */
const focus = "Networking|PodSandbox|Streaming|HostNetwork";
const timeoutMs = 600_000;
const unable = cannotRun("critest", "docker-registry", "runc") || lacksPlugins(debianPlugins);
const specs = unable ? [] : (await listSpecs()).filter((spec) => new RegExp(focus).test(spec));

describe.skipIf(unable)("critest on a CNI network", () => {
  const resources = new AsyncDisposableStack();
  let agent: Agent;
  let before: HostSnapshot;
  let results: ReadonlyMap<string, SpecResult>;

  beforeAll(async () => {
    agent = await startConformanceAgent(resources, "cni");
    before = await hostSnapshot(agent);
    const list = await runCritest({ socket: agent.socket, handler: "runc", focus, leaveOut: [], timeoutMs });
    results = new Map(list.map((result) => [result.name, result]));
  }, timeoutMs);
  afterAll(() => resources.disposeAsync());

  test.for(specs)("%s", (spec) => {
    const { outcome = "not run", message = "" } = results.get(spec) ?? {};
    expect(outcome === "passed" ? outcome : `${outcome}: ${message}`).toBe("passed");
  });

  test("leaves nothing behind", async () => {
    await expectNoLeaks(agent, before, { imagesKept: true });
    await agent.stop();
    await expectNothingLeft(agent);
  });
});

test.skipIf(unable)("critest has the specs of networks that this suite was written for", () => {
  expect(specs.length).toBeGreaterThanOrEqual(20);
});

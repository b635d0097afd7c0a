import { join } from "node:path";
import { Agent } from "../support/agent.ts";
import { AgentBridge } from "../support/cni-network.ts";
import { Registry } from "../support/registry.ts";
import { reserveInstance } from "../support/test-instance.ts";
import { conformanceRegistries, pushConformanceImages } from "./conformance-images.ts";

/** What gives critest's pods their network; under "cni" Debian's bridge, host-local and portmap do. */
export type ConformanceNetwork = "local-vpc" | "cni";

/** An agent that critest can run against: profile "node", and a registry with critest's images behind its names. */
export async function startConformanceAgent(
  resources: AsyncDisposableStack,
  network: ConformanceNetwork = "local-vpc",
): Promise<Agent> {
  const instance = await reserveInstance();
  const registry = resources.use(await Registry.start({ directory: join(instance.scratch, "registry") }));
  await pushConformanceImages(registry);
  const mirrors = Object.fromEntries(conformanceRegistries.map((name) => [name, registry.host]));
  const settings = { mirrors, overrides: { profile: "node" } };
  if (network === "local-vpc") return resources.use(await Agent.start(settings, instance));
  const bridge = new AgentBridge();
  resources.defer(() => bridge.network[Symbol.asyncDispose]());
  return resources.use(await Agent.start({ ...settings, network: bridge.settings }, instance));
}

import { join } from "node:path";
import { Agent } from "../support/agent.ts";
import { Registry } from "../support/registry.ts";
import { reserveInstance } from "../support/test-instance.ts";
import { conformanceRegistries, pushConformanceImages } from "./conformance-images.ts";

/** An agent that critest can run against: profile "node", and a registry with critest's images behind its names. */
export async function startConformanceAgent(resources: AsyncDisposableStack): Promise<Agent> {
  const instance = await reserveInstance();
  const registry = resources.use(await Registry.start({ directory: join(instance.scratch, "registry") }));
  await pushConformanceImages(registry);
  const mirrors = Object.fromEntries(conformanceRegistries.map((name) => [name, registry.host]));
  return resources.use(await Agent.start({ mirrors, overrides: { profile: "node" } }, instance));
}

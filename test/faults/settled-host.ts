import type { Agent } from "../support/agent.ts";
import { eventually } from "../support/eventually.ts";
import { type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";

/** The host once what happens in the background has come to rest. */
export async function settledHost(agent: Agent): Promise<HostSnapshot> {
  let last = await hostSnapshot(agent);
  return eventually("a host at rest", async () => {
    const next = await hostSnapshot(agent);
    const same = JSON.stringify(next) === JSON.stringify(last);
    last = next;
    return same && next;
  });
}

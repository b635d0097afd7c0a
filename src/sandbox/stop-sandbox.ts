import { failpoint } from "../common/failpoint.ts";
import { containersOf, type SandboxDeps } from "./deps.ts";
import { releaseNetworkAndShim } from "./release-sandbox.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import { stopContainer } from "./stop-container.ts";

/**
 * Stops a sandbox: from the first step on it is not ready, then its containers are killed, its network freed. Doing it
 * again finishes what a failed stop left. The caller holds the sandbox's lock.
 * @param message why, for people
 */
export async function stopSandbox(deps: SandboxDeps, record: SandboxRecord, message: string): Promise<SandboxRecord> {
  const stopping = record.state === "ready" ? deps.sandboxes.put({ ...record, state: "notReady", message }) : record;
  failpoint("stop.recorded");
  await Promise.all(containersOf(deps, record.id).map((id) => stopContainer(deps, id, 0)));
  failpoint("stop.containers-stopped");
  deps.connections.end(record.id);
  await releaseNetworkAndShim(deps, stopping);
  const stopped = deps.sandboxes.put({ ...stopping, network: undefined });
  failpoint("stop.done");
  return stopped;
}

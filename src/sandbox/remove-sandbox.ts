import { failpoint } from "../common/failpoint.ts";
import { containersOf, type SandboxDeps } from "./deps.ts";
import { releaseSandbox } from "./release-sandbox.ts";
import { removeContainer } from "./remove-container.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import { stopSandbox } from "./stop-sandbox.ts";

/**
 * Removes a sandbox with its containers. The record goes last, so that a removal cut short is taken up again by the
 * next call or the next start. The caller holds the sandbox's lock.
 */
export async function removeSandbox(deps: SandboxDeps, record: SandboxRecord): Promise<void> {
  const removing = deps.sandboxes.put({ ...record, state: "removing", message: "Being removed" });
  failpoint("remove.recorded");
  const stopped = await stopSandbox(deps, removing, removing.message);
  await Promise.all(containersOf(deps, record.id).map((id) => removeContainer(deps, id)));
  failpoint("remove.containers-removed");
  await releaseSandbox(deps, stopped);
  deps.sandboxes.delete(record.id);
  failpoint("remove.done");
}

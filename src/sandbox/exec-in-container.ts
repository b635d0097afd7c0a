import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ExecSyncResult, execSync } from "../runtime/exec-sync.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths } from "./host-paths.ts";

/**
 * Runs a command as the container's own process would run: same user, environment, capabilities and directory.
 * @param timeoutMs 0: no limit but the caller's signal
 * @throws AgentError DeadlineExceeded or Cancelled when it was killed for taking too long, or what the runtime said
 */
export async function execInContainer(
  deps: Pick<SandboxDeps, "layout" | "sandboxes" | "shims" | "log">,
  record: ContainerRecord,
  argv: readonly string[],
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<ExecSyncResult> {
  const { bundle, execs } = containerPaths(deps.layout, record.id, "");
  const spec: { readonly process: object } = JSON.parse(await readFile(join(bundle, "config.json"), "utf8"));
  return await execSync({
    shim: await deps.shims.ensure(deps.sandboxes.get(record.sandboxId)),
    containerId: record.id,
    directory: execs,
    process: { ...spec.process, args: argv, terminal: false },
    timeoutMs,
    signal,
    log: deps.log,
  });
}

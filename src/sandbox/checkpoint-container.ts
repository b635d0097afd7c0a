import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { requireCriu, writeCheckpoint } from "../runtime/checkpoint.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths } from "./host-paths.ts";

/** What `timeout` 0 means. */
const usualTimeoutMs = 120_000;

/**
 * Writes a running container's state to a tar; the container goes on. The caller holds the container's lock.
 * @throws AgentError FailedPrecondition naming what is missing, or as the runtime gave it
 */
export async function checkpointContainer(
  deps: Pick<SandboxDeps, "layout" | "shims" | "sandboxes">,
  record: ContainerRecord,
  location: string,
  timeoutMs: number,
): Promise<void> {
  await requireCriu();
  const paths = containerPaths(deps.layout, record.id, "");
  await writeCheckpoint({
    shim: await deps.shims.ensure(deps.sandboxes.get(record.sandboxId)),
    containerId: record.id,
    scratch: join(paths.disk, "checkpoint"),
    upper: paths.upper,
    location,
    config: {
      id: record.id,
      name: record.spec.metadata.name,
      rootfsImage: record.spec.image,
      rootfsImageRef: record.imageRef,
      createdTime: new Date(record.createdAtMs).toISOString(),
      checkpointedAt: new Date().toISOString(),
    },
    spec: await readFile(join(paths.bundle, "config.json"), "utf8"),
    timeoutMs: timeoutMs === 0 ? usualTimeoutMs : timeoutMs,
  });
}

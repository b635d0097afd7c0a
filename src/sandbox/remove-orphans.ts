import { readdirSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../common/errors.ts";
import { parseContainerId, parseSandboxId } from "../common/ids.ts";
import { removeBundle } from "../runtime/bundle.ts";
import { removeContainerDisk } from "../runtime/container-disk.ts";
import { unmountShm } from "../runtime/rootfs.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";

/**
 * Removes directories of this agent's own places that no record names. Since a record is written before its first
 * directory and deleted after its last, a directory without one is certainly nobody's; a record that can't be read
 * still protects its own.
 */
export async function removeOrphans(deps: SandboxDeps): Promise<void> {
  const { layout, log } = deps;
  for (const name of childrenOf(join(layout.state, "containers"))) {
    if (deps.containers.knows(name)) continue;
    log.warn({ containerId: name }, "bundle without a record is removed");
    const paths = containerPaths(layout, parseContainerId(name), "");
    await removeBundle(paths.bundle);
  }
  for (const name of childrenOf(join(layout.root, "containers"))) {
    if (deps.containers.knows(name)) continue;
    log.warn({ containerId: name }, "container disk without a record is removed");
    await removeContainerDisk(containerPaths(layout, parseContainerId(name), "").disk);
  }
  for (const name of childrenOf(join(layout.state, "sandboxes"))) {
    if (deps.sandboxes.knows(name)) continue;
    log.warn({ sandboxId: name }, "pod directory without a record is removed");
    const paths = sandboxPaths(layout, parseSandboxId(name), "");
    await deps.namespaces.remove(paths.namespaces);
    await unmountShm(paths.shm);
    await removeBundle(paths.bundle);
  }
}

/** Names in a directory that are ids; whatever else lies there isn't ours to judge. */
function childrenOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => /^[0-9a-f]{64}$/.test(name));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}

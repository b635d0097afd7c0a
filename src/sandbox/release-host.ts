import { rmdirSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../common/errors.ts";
import type { SandboxDeps } from "./deps.ts";
import { cgroupRoot, shimNamespace } from "./host-paths.ts";

/**
 * Takes away the empty directories that pods share, when the agent ends and no pod is left: an agent without pods
 * leaves nothing on the host outside its own directories.
 */
export function releaseHost({ layout, cgroups }: Pick<SandboxDeps, "layout" | "cgroups">): void {
  for (const directory of cgroups.directories(cgroupRoot(layout))) removeEmpty(directory);
  removeEmpty(join(layout.state, "runc", shimNamespace(layout)));
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    // Pods that go on keep theirs.
    if (!["ENOENT", "ENOTEMPTY", "EBUSY", "EEXIST"].includes(errnoOf(error) ?? "")) throw error;
  }
}

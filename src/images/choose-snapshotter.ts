import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AgentError } from "../common/errors.ts";
import { probeErofs } from "./erofs/probe-erofs.ts";
import type { SnapshotForm } from "./snapshot-form.ts";

/**
 * What new layers are unpacked as.
 * @param wanted config images.snapshotter
 * @param rootDirectory the agent's `root`, which holds the layers
 * @throws AgentError FailedPrecondition when this machine can't do what is wanted
 */
export function chooseSnapshotter(wanted: SnapshotForm | "auto", rootDirectory: string): SnapshotForm {
  if (wanted !== "erofs") return "overlay";
  const directory = join(rootDirectory, "ingest");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    probeErofs(directory);
    return "erofs";
  } catch (cause) {
    throw new AgentError(
      "FailedPrecondition",
      `images.snapshotter "erofs" does not work on this machine: it needs Linux 6.12 with EROFS, and "${rootDirectory}" on a disk's file system; must be "overlay" or "auto"`,
      { cause },
    );
  }
}

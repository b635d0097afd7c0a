import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { AgentError, errorText } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { probeErofs } from "./erofs/probe-erofs.ts";
import type { SnapshotForm } from "./snapshot-form.ts";

/**
 * What new layers are unpacked as: "auto" takes EROFS where it works.
 * @param wanted config images.snapshotter
 * @param rootDirectory the agent's `root`, which holds the layers
 * @throws AgentError FailedPrecondition when this machine can't do what is wanted
 */
export function chooseSnapshotter(wanted: SnapshotForm | "auto", rootDirectory: string, log: Log): SnapshotForm {
  if (wanted === "overlay") return wanted;
  const directory = join(rootDirectory, "ingest");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    probeErofs(directory);
    return "erofs";
  } catch (cause) {
    if (wanted === "auto") {
      log.info({ error: errorText(cause) }, "EROFS can't be mounted from files here: layers are kept as directories");
      return "overlay";
    }
    throw new AgentError(
      "FailedPrecondition",
      `images.snapshotter "erofs" does not work on this machine: it needs Linux 6.12 with EROFS, and "${rootDirectory}" on a disk's file system; must be "overlay" or "auto"`,
      { cause },
    );
  }
}

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError, errorText } from "../common/errors.ts";
import { removeTree } from "../system/files.ts";
import { runProgram } from "./run-program.ts";
import type { Shim } from "./shim.ts";

const checkTimeoutMs = 20_000;

/**
 * Whether CRIU is here and works on this kernel.
 * @throws AgentError FailedPrecondition saying which of the two it is not
 */
export async function requireCriu(): Promise<void> {
  try {
    await run("CRIU's check of this kernel", "criu", ["check"], checkTimeoutMs);
  } catch (cause) {
    const reason = errorText(cause).replaceAll(/\s+/g, " ").slice(0, 500);
    throw new AgentError(
      "FailedPrecondition",
      `Can't checkpoint a container: CRIU (the program "criu") is not installed or does not work on this kernel: ${reason}`,
      { cause },
    );
  }
}

export interface CheckpointRequest {
  readonly shim: Shim;
  readonly containerId: string;
  /** For CRIU's images while they are written; made and removed here. */
  readonly scratch: string;
  /** The container's writable layer. */
  readonly upper: string;
  /** Absolute path of the tar to write. */
  readonly location: string;
  /** What the archive says of the container, and the spec it was started with. */
  readonly config: object;
  readonly spec: string;
  readonly timeoutMs: number;
}

/**
 * Writes a container's processes, which go on, and its changed files to a tar laid out as CRI-O and containerd do:
 * `checkpoint/`, `config.dump`, `spec.dump`, `rootfs-diff.tar`. It appears whole or not at all.
 * @throws AgentError as the runtime gave it, SystemFailure
 */
export async function writeCheckpoint(request: CheckpointRequest): Promise<void> {
  const { scratch, location, timeoutMs } = request;
  await using undo = new AsyncDisposableStack();
  undo.defer(() => removeTree(scratch));
  undo.defer(() => removeTree(`${location}.part`));
  await removeTree(scratch);
  const images = join(scratch, "checkpoint");
  mkdirSync(images, { recursive: true, mode: 0o700 });
  await request.shim.checkpoint(request.containerId, images, timeoutMs);
  writeFileSync(join(scratch, "config.dump"), JSON.stringify(request.config), { mode: 0o600 });
  writeFileSync(join(scratch, "spec.dump"), request.spec, { mode: 0o600 });
  const diff = ["--xattrs", "-cf", join(scratch, "rootfs-diff.tar"), "-C", request.upper, "."];
  await run("Archiving the container's files", "tar", diff, timeoutMs);
  await run("Writing the checkpoint", "tar", ["-cf", `${location}.part`, "-C", scratch, "."], timeoutMs);
  renameSync(`${location}.part`, location);
}

async function run(what: string, program: string, args: readonly string[], timeoutMs: number): Promise<void> {
  await runProgram(what, { program, args, cwd: "/", env: { LC_ALL: "C" }, input: Buffer.alloc(0), timeoutMs });
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ProcessStreams } from "../common/process-streams.ts";
import type { ExecTarget } from "../runtime/exec-process.ts";
import { execStream } from "../runtime/exec-stream.ts";
import { type ExecSyncResult, execSync } from "../runtime/exec-sync.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths } from "./host-paths.ts";

type ExecDeps = Pick<SandboxDeps, "layout" | "sandboxes" | "shims" | "log">;

export interface ExecCommand {
  readonly argv: readonly string[];
  readonly tty: boolean;
}

/**
 * Runs a command as the container's own process would run: same user, environment, capabilities and directory.
 * @param timeoutMs 0: no limit but the caller's signal
 * @throws AgentError DeadlineExceeded or Cancelled when it was killed for taking too long, or what the runtime said
 */
export async function execInContainer(
  deps: ExecDeps,
  record: ContainerRecord,
  argv: readonly string[],
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<ExecSyncResult> {
  const process = await readProcess(deps, record);
  const target = await execTarget(deps, record);
  return await execSync({ ...target, process: { ...process, args: argv, terminal: false }, timeoutMs, signal });
}

/**
 * The same on a client's streams, for as long as the client stays.
 * @returns the exit code
 * @throws AgentError what the streams' `gone` aborted with, or what the runtime said
 */
export async function execOnStreams(
  deps: ExecDeps,
  record: ContainerRecord,
  { argv, tty }: ExecCommand,
  streams: ProcessStreams,
): Promise<number> {
  const process = await readProcess(deps, record);
  const target = await execTarget(deps, record);
  const command = { ...process, args: argv, terminal: tty, ...(tty ? { env: withTerm(process.env ?? []) } : {}) };
  return await execStream({ ...target, process: command, streams });
}

interface ProcessSpec {
  readonly env?: readonly string[];
}

/** The container's own `process` object. */
async function readProcess(deps: ExecDeps, record: ContainerRecord): Promise<ProcessSpec> {
  const { bundle } = containerPaths(deps.layout, record.id, "");
  const spec: { readonly process: ProcessSpec } = JSON.parse(await readFile(join(bundle, "config.json"), "utf8"));
  return spec.process;
}

async function execTarget(deps: ExecDeps, record: ContainerRecord): Promise<ExecTarget> {
  return {
    shim: await deps.shims.ensure(deps.sandboxes.get(record.sandboxId)),
    containerId: record.id,
    directory: containerPaths(deps.layout, record.id, "").execs,
    log: deps.log,
  };
}

/** What programs with a screen ask for; containerd gives every terminal the same. */
function withTerm(env: readonly string[]): readonly string[] {
  return env.some((entry) => entry.startsWith("TERM=")) ? env : [...env, "TERM=xterm"];
}

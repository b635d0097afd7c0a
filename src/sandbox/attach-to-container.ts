import { AgentError } from "../common/errors.ts";
import type { ProcessStreams } from "../common/process-streams.ts";
import { attachStream } from "../runtime/attach-stream.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";

/**
 * Connects a client to a running container's streams. Resolves when the container's output ended or the client had
 * enough.
 * @throws AgentError as attachStream, FailedPrecondition when the container has just ended
 */
export async function attachToContainer(
  deps: Pick<SandboxDeps, "sandboxes" | "shims" | "tasks" | "log">,
  record: ContainerRecord,
  streams: ProcessStreams,
): Promise<void> {
  const task = deps.tasks.get(record.id);
  if (task === undefined) {
    throw new AgentError("FailedPrecondition", `Can't attach to container "${record.id}": it has ended`);
  }
  const { stdin, stdinOnce, tty } = record.spec.settings;
  await attachStream({
    shim: await deps.shims.ensure(deps.sandboxes.get(record.sandboxId)),
    containerId: record.id,
    io: task.io,
    stdin,
    stdinOnce,
    terminal: tty,
    streams,
    log: deps.log.child({ containerId: record.id }),
  });
}

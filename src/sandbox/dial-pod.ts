import type { Socket } from "node:net";
import { AgentError } from "../common/errors.ts";
import type { SandboxDeps } from "./deps.ts";
import { sandboxPaths } from "./host-paths.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** @throws AgentError FailedPrecondition unless the pod is ready, Unavailable when nobody listens on the port */
export async function dialPod(
  deps: Pick<SandboxDeps, "layout" | "dialer" | "connections" | "sandboxes">,
  id: SandboxRecord["id"],
  port: number,
): Promise<Socket> {
  const { spec } = requireReady(deps.sandboxes.get(id));
  const pinned = sandboxPaths(deps.layout, id, "").namespaces.net;
  const socket = await deps.dialer.connect(spec.namespaces.network === "node" ? undefined : pinned, port);
  // A stop that began meanwhile has ended the others already.
  if (deps.sandboxes.find(id)?.state !== "ready") {
    socket.destroy();
    throw new AgentError("FailedPrecondition", `Pod sandbox "${id}" is being stopped`);
  }
  deps.connections.add(id, socket);
  return socket;
}

/** @throws AgentError FailedPrecondition */
export function requireReady(record: SandboxRecord): SandboxRecord {
  if (record.state === "ready") return record;
  throw new AgentError("FailedPrecondition", `Can't forward ports of pod sandbox "${record.id}": it is not ready`);
}

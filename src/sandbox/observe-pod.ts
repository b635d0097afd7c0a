import { within } from "../common/deadline.ts";
import { hasCode } from "../common/errors.ts";
import { isNamespacePin } from "../runtime/namespace-pin.ts";
import type { Shim } from "../runtime/shim.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { sandboxPaths } from "./host-paths.ts";
import type { ObservedPod, ObservedTask } from "./plan-recovery.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

const taskTimeoutMs = 5_000;

/** What the host shows of a pod now. It takes a silent shim 5 seconds to be known as such. */
export async function observePod(deps: SandboxDeps, record: SandboxRecord): Promise<ObservedPod> {
  const boot = record.bootId === deps.bootId ? "same" : "other";
  const shim = boot === "same" ? await deps.shims.reconnect(record) : "none";
  const { namespaces } = sandboxPaths(deps.layout, record.id, record.spec.cgroupParent);
  const ownNetns = record.spec.namespaces.network === "pod";
  return { boot, shim, netns: !ownNetns || isNamespacePin(namespaces.net) ? "there" : "gone" };
}

/** @param shim undefined: there is none */
export async function observeTask(record: ContainerRecord, shim: Shim | "silent" | undefined): Promise<ObservedTask> {
  if (shim === undefined) return "absent";
  if (shim === "silent") return "unknown";
  try {
    const { kind } = await within(`Asking the shim of "${record.id}"`, taskTimeoutMs, shim.state(record.id));
    // A paused task has a process, which is what matters here.
    return kind === "created" || kind === "stopped" ? kind : "running";
  } catch (error) {
    if (hasCode(error, "NotFound")) return "absent";
    if (hasCode(error, "DeadlineExceeded") || hasCode(error, "Unavailable")) return "unknown";
    throw error;
  }
}

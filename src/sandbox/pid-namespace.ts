import { AgentError, hasCode } from "../common/errors.ts";
import { preparePidHolder } from "../runtime/pid-holder.ts";
import { planPidHolder, planShimConfig } from "../runtime/plan-pid-holder.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { sandboxPaths } from "./host-paths.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

type PidNamespaceDeps = Pick<SandboxDeps, "layout" | "facts" | "shims" | "containers">;

/** What the bundle of the pod's shim says: the holder of the shared PID namespace, or nothing but the pod's name. */
export function planPodBundle(deps: PidNamespaceDeps, record: SandboxRecord): object {
  const { name, namespace, uid } = record.spec.metadata;
  const identity = { id: record.id, name, namespace, uid };
  if (record.spec.namespaces.pid !== "pod") return planShimConfig(identity);
  const paths = sandboxPaths(deps.layout, record.id, record.spec.cgroupParent);
  return planPidHolder({
    sandbox: {
      ...identity,
      netnsPath: paths.namespaces.net,
      ipcPath: paths.namespaces.ipc,
      utsPath: paths.namespaces.uts,
      cgroupParent: paths.cgroup,
    },
    rootfsPath: preparePidHolder(deps.layout.root),
    facts: deps.facts,
  });
}

/**
 * Starts the process that keeps the pod's shared PID namespace alive, from the bundle that {@link planPodBundle}
 * describes. Its task has the sandbox's id and ends with the shim.
 * @throws AgentError as the shim gave it
 */
export async function holdPidNamespace(deps: PidNamespaceDeps, record: SandboxRecord): Promise<void> {
  const { bundle } = sandboxPaths(deps.layout, record.id, record.spec.cgroupParent);
  const shim = await deps.shims.ensure(record);
  await shim.create({
    id: record.id,
    bundle,
    options: deps.shims.taskOptions(record),
    stdin: "",
    stdout: "",
    stderr: "",
    terminal: false,
  });
  await shim.start(record.id);
}

/**
 * Namespace files for a container to join.
 * @throws AgentError FailedPrecondition when the process that holds the namespace does not run
 */
export async function joinedPidNamespaces(
  deps: PidNamespaceDeps,
  sandbox: SandboxRecord,
  record: ContainerRecord,
): Promise<{ readonly pod?: string; readonly target?: string }> {
  const { pid } = record.spec.settings.security;
  switch (pid.kind) {
    case "pod":
      return { pod: pidNamespacePath(await holderPid(deps, sandbox)) };
    case "target":
      return { target: pidNamespacePath(targetPid(deps, sandbox, pid.containerId)) };
    case "container":
    case "node":
      return {};
    default:
      return pid satisfies never;
  }
}

/** Pid of the holder of a pod's shared PID namespace. @throws AgentError FailedPrecondition when there is none */
async function holderPid(deps: PidNamespaceDeps, sandbox: SandboxRecord): Promise<number> {
  if (sandbox.spec.namespaces.pid !== "pod") {
    throw new AgentError(
      "FailedPrecondition",
      `Pod sandbox "${sandbox.id}" has no shared PID namespace: it was run with pid mode "${sandbox.spec.namespaces.pid}"`,
    );
  }
  const shim = await deps.shims.ensure(sandbox);
  try {
    const { kind, pid } = await shim.state(sandbox.id);
    if (kind === "running") return pid;
  } catch (error) {
    if (!hasCode(error, "NotFound")) throw error;
  }
  throw new AgentError("FailedPrecondition", `The shared PID namespace of pod sandbox "${sandbox.id}" has ended`);
}

function targetPid(deps: PidNamespaceDeps, sandbox: SandboxRecord, idOrPrefix: string): number {
  const target = deps.containers.get(idOrPrefix);
  if (target.sandboxId !== sandbox.id) {
    throw new AgentError(
      "InvalidArgument",
      `Invalid namespace_options.target_id "${target.id}": must be a container of pod sandbox "${sandbox.id}"`,
    );
  }
  if (target.state.kind === "running") return target.state.pid;
  throw new AgentError(
    "FailedPrecondition",
    `Target container "${target.id}" is ${target.state.kind}, must be running`,
  );
}

function pidNamespacePath(pid: number): string {
  return `/proc/${pid}/ns/pid`;
}

import { within } from "../common/deadline.ts";
import { AgentError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import { isNamespacePin, pinNamespace } from "../runtime/namespace-pin.ts";
import { bindReadonly, preparePidHolder } from "../runtime/pid-holder.ts";
import { planPidHolder, planShimConfig } from "../runtime/plan-pid-holder.ts";
import type { CreateTask, Shim } from "../runtime/shim.ts";
import type { ContainerRecord } from "./container-record.ts";
import { deleteTask } from "./delete-task.ts";
import type { SandboxDeps } from "./deps.ts";
import { type SandboxPaths, sandboxPaths } from "./host-paths.ts";
import { ownNamespaces, userOf } from "./own-namespaces.ts";
import { planPodConfinement } from "./pod-confinement.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

type PidNamespaceDeps = Pick<SandboxDeps, "layout" | "facts" | "containers">;

const undoTimeoutMs = 20_000;

/**
 * What the bundle of the pod's shim says: the holder of the shared PID namespace, or nothing but the pod's name.
 * @throws AgentError for a profile that can't confine the holder, even where the pod needs none
 */
export async function planPodBundle(deps: PidNamespaceDeps, record: SandboxRecord): Promise<object> {
  const { name, namespace, uid } = record.spec.metadata;
  const identity = { id: record.id, name, namespace, uid };
  const confinement = await planPodConfinement(deps.facts, record);
  if (record.spec.namespaces.pid !== "pod") return planShimConfig(identity);
  const paths = sandboxPaths(deps.layout, record.id, record.spec.cgroupParent);
  const own = ownNamespaces(paths, record.spec);
  return planPidHolder({
    sandbox: {
      ...identity,
      netnsPath: own.net,
      ipcPath: own.ipc,
      utsPath: own.uts,
      ...userOf(paths, record.spec),
      cgroupParent: paths.cgroup,
    },
    rootfsPath: holderRootfs(deps, record, paths),
    facts: deps.facts,
    confinement,
  });
}

/** A holder with ids of its own can't reach the agent's root directory: it sees its root file system in its bundle. */
function holderRootfs(deps: PidNamespaceDeps, record: SandboxRecord, paths: SandboxPaths): string {
  const directory = preparePidHolder(deps.layout.root);
  if (record.spec.namespaces.user === undefined) return directory;
  bindReadonly(directory, paths.rootfs);
  return paths.rootfs;
}

/** Where the holder of a pod's PID namespace runs and is pinned. */
interface PidHolder {
  /** The sandbox's; also the holder's task. */
  readonly id: string;
  readonly bundle: string;
  readonly pin: string;
  readonly options: CreateTask["options"];
}

/**
 * Sees to it that a process keeps the pod's shared PID namespace alive and the namespace is pinned. What an earlier try
 * left half made is made anew; nothing can have joined it, for there is no pin.
 * @throws AgentError FailedPrecondition when the namespace has ended, or as the shim gave it
 */
export async function holdPidNamespace(shim: Shim, { id, bundle, pin, options }: PidHolder): Promise<void> {
  if (isNamespacePin(pin)) {
    const { kind } = await shim.state(id);
    if (kind === "running") return;
    throw new AgentError("FailedPrecondition", `The shared PID namespace of pod sandbox "${id}" has ended`);
  }
  await using undo = new AsyncDisposableStack();
  undo.defer(() => within("Ending the holder of the PID namespace", undoTimeoutMs, deleteTask(shim, id)));
  await deleteTask(shim, id);
  await shim.create({ id, bundle, options, stdin: "", stdout: "", stderr: "", terminal: false });
  const pid = await shim.start(id);
  failpoint("run.pid-namespace-held");
  pinNamespace(pid, "pid", pin);
  failpoint("run.pid-namespace-pinned");
  undo.move();
}

/**
 * Namespace files for a container to join. That of the pod comes up with its shim and need not be there yet.
 * @throws AgentError FailedPrecondition when the container that it is to share with does not run
 */
export function joinedPidNamespaces(
  deps: PidNamespaceDeps,
  sandbox: SandboxRecord,
  record: ContainerRecord,
): { readonly pod?: string; readonly target?: string } {
  const { pid } = record.spec.settings.security;
  switch (pid.kind) {
    case "pod":
      return { pod: podPin(deps, sandbox) };
    case "target":
      return { target: `/proc/${targetPid(deps, sandbox, pid.containerId)}/ns/pid` };
    case "container":
    case "node":
      return {};
    default:
      return pid satisfies never;
  }
}

function podPin(deps: PidNamespaceDeps, sandbox: SandboxRecord): string {
  const { pid } = sandbox.spec.namespaces;
  if (pid === "pod") return sandboxPaths(deps.layout, sandbox.id, sandbox.spec.cgroupParent).pidNamespace;
  throw new AgentError(
    "FailedPrecondition",
    `Pod sandbox "${sandbox.id}" has no shared PID namespace: it was run with pid mode "${pid}"`,
  );
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

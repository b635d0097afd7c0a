import { failpoint } from "../common/failpoint.ts";
import type { SandboxId } from "../common/ids.ts";
import type { PodInterface } from "../network/pod-network.ts";
import { letThrough, makeBundle, writeBundle } from "../runtime/bundle.ts";
import { type PodFiles, writePodFiles } from "../runtime/pod-files.ts";
import { mountShm } from "../runtime/rootfs.ts";
import type { SandboxDeps } from "./deps.ts";
import { sandboxPaths } from "./host-paths.ts";
import { ownNamespaces, planSysctls } from "./own-namespaces.ts";
import { planPodBundle } from "./pid-namespace.ts";
import { podHostname } from "./plan-sandbox.ts";
import { mountLabel } from "./pod-selinux.ts";
import { releaseSandbox } from "./release-sandbox.ts";
import type { SandboxRecord } from "./sandbox-record.ts";
import type { WarmShim } from "./warm-shims.ts";

/**
 * Brings a planned sandbox up: files, namespaces, network, and the shim on its way.
 * On failure everything is undone; what could not be undone stays recorded as not ready, for a removal to finish.
 * @param record the planned record, in state "creating"
 * @param warm a shim of this id that was launched ahead, if there is one
 */
export async function runSandbox(
  deps: SandboxDeps,
  record: SandboxRecord,
  warm: WarmShim | undefined,
): Promise<SandboxId> {
  const paths = sandboxPaths(deps.layout, record.id, record.spec.cgroupParent);
  deps.sandboxes.put(record);
  failpoint("run.recorded");
  await using undo = new AsyncDisposableStack();
  undo.defer(() => undoRun(deps, record));

  if (warm !== undefined) deps.shims.adopt(record.id, warm.claim());
  makeBundle(paths.bundle);
  const label = mountLabel(deps.facts, record);
  if (record.spec.namespaces.ipc === "pod") mountShm(paths.shm, label);
  failpoint("run.shm-mounted");
  const pins = ownNamespaces(paths, record.spec);
  const { user } = record.spec.namespaces;
  await deps.namespaces.create(pins, podHostname(record), user);
  failpoint("run.namespaces-created");
  const network = pins.net === undefined ? undefined : await attach(deps, record, pins.net);
  failpoint("run.network-attached");
  // Only now is there an interface that a parameter may name.
  await deps.namespaces.setSysctls(pins, planSysctls(record.spec).outside);
  writePodFiles(paths.bundle, { ...planPodFiles(record, network), label, owner: user });
  writeBundle(paths.bundle, await planPodBundle(deps, record));
  if (user !== undefined) letThrough(deps.layout.state, paths.bundle);
  failpoint("run.bundle-written");
  // Shim and PID namespace are needed only when the first container starts; till then they come up behind the caller's back.
  deps.shims.prepareSoon(record);
  deps.sandboxes.put({ ...record, state: "ready", network });
  failpoint("run.ready");
  undo.move();
  return record.id;
}

function attach(deps: SandboxDeps, record: SandboxRecord, netnsPath: string): Promise<PodInterface> {
  const { metadata, labels, annotations, hostPorts, dns } = record.spec;
  const { namespace, name, uid } = metadata;
  const pod = { sandboxId: record.id, netnsPath, namespace, name, uid, labels, annotations, hostPorts };
  return deps.network.attach({ ...pod, ...(dns && { dns }) });
}

/** A pod in the host's network has the host's names and resolver. */
function planPodFiles({ spec, ...record }: SandboxRecord, network: PodInterface | undefined): PodFiles {
  const { ipv4, ipv6, moreAddresses = [] } = network ?? {};
  const addresses = [ipv4, ipv6, ...moreAddresses].filter((address) => address !== undefined);
  const host = spec.namespaces.network === "node";
  return { hostname: podHostname({ spec, ...record }), addresses, dns: spec.dns, host };
}

async function undoRun(deps: SandboxDeps, record: SandboxRecord): Promise<void> {
  try {
    await releaseSandbox(deps, record);
    deps.sandboxes.delete(record.id);
  } catch (error) {
    deps.log.error({ sandboxId: record.id, error }, "failed sandbox can't be undone yet; its removal will try again");
    deps.sandboxes.put({ ...record, state: "notReady", message: "Its creation failed and could not be undone" });
  }
}

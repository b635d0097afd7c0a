import { failpoint } from "../common/failpoint.ts";
import type { ContainerId } from "../common/ids.ts";
import { writeBundle } from "../runtime/bundle.ts";
import { planSpec } from "../runtime/plan-spec.ts";
import { resolveUser } from "../runtime/resolve-user.ts";
import { mountRootfs } from "../runtime/rootfs.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import type { ContainerPlan } from "./plan-container.ts";
import { podHostname } from "./plan-sandbox.ts";
import { releaseContainer } from "./release-container.ts";

/**
 * Makes a planned container ready to start: its root filesystem is mounted, its user resolved in it, its OCI spec
 * written. Nothing runs. On failure everything is undone. The caller holds the sandbox's lock.
 */
export async function createContainer(
  deps: SandboxDeps,
  { record, sandbox, image }: ContainerPlan,
): Promise<ContainerId> {
  const pod = sandboxPaths(deps.layout, sandbox.id, sandbox.spec.cgroupParent);
  const paths = containerPaths(deps.layout, record.id, pod.cgroup);
  deps.images.hold(record.id, record.topChainId);
  deps.containers.put(record);
  failpoint("create.recorded");
  await using undo = new AsyncDisposableStack();
  undo.defer(() => undoCreate(deps, record));

  const lower = deps.images.lowerDirectories(record.topChainId);
  await mountRootfs({ lower, upper: paths.upper, work: paths.work, target: paths.rootfs });
  failpoint("create.rootfs-mounted");
  const { settings } = record.spec;
  const user = resolveUser(paths.rootfs, settings.security.user, image.config.user);
  const spec = planSpec({
    containerId: record.id,
    sandbox: {
      id: sandbox.id,
      name: sandbox.spec.metadata.name,
      namespace: sandbox.spec.metadata.namespace,
      uid: sandbox.spec.metadata.uid,
      hostname: podHostname(sandbox),
      netnsPath: pod.namespaces.net,
      ipcPath: pod.namespaces.ipc,
      utsPath: pod.namespaces.uts,
      pidNamespacePath: await deps.shims.pidNamespacePath(sandbox),
      hostsPath: pod.hosts,
      hostnamePath: pod.hostname,
      resolvConfPath: pod.resolvConf,
      shmPath: pod.shm,
      cgroupParent: pod.cgroup,
      logDirectory: sandbox.spec.logDirectory,
    },
    containerName: record.spec.metadata.name,
    imageName: record.spec.image,
    settings,
    image: image.config,
    user,
    facts: deps.facts,
  });
  await writeBundle(paths.bundle, spec);
  failpoint("create.bundle-written");
  deps.containers.put({ ...record, state: { kind: "created" }, user });
  failpoint("create.done");
  undo.move();
  return record.id;
}

async function undoCreate(deps: SandboxDeps, record: ContainerRecord): Promise<void> {
  try {
    await releaseContainer(deps, record);
    deps.containers.delete(record.id);
  } catch (error) {
    deps.log.error({ containerId: record.id, error }, "failed container can't be undone yet; its removal will try again");
  }
}

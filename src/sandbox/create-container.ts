import { join } from "node:path";
import { within } from "../common/deadline.ts";
import { failpoint } from "../common/failpoint.ts";
import type { ContainerId } from "../common/ids.ts";
import { loadedApparmorProfiles } from "../runtime/apparmor.ts";
import { resolveBindSources } from "../runtime/bind-sources.ts";
import { letThrough, writeBundle } from "../runtime/bundle.ts";
import { resolveCdi } from "../runtime/cdi-specs.ts";
import { isImageMount } from "../runtime/container-settings.ts";
import { readHostDevices } from "../runtime/host-devices.ts";
import { mountImage } from "../runtime/image-mounts.ts";
import { prepareVolumes } from "../runtime/image-volumes.ts";
import type { LayerIdMap } from "../runtime/mapped-layers.ts";
import { mapSources } from "../runtime/mapped-sources.ts";
import { checkWorkingDirectory } from "../runtime/path-in-rootfs.ts";
import { applyCdi } from "../runtime/plan-cdi.ts";
import { planSpec } from "../runtime/plan-spec.ts";
import { resolveDevices } from "../runtime/requested-devices.ts";
import { resolveUser } from "../runtime/resolve-user.ts";
import { mountRootfs } from "../runtime/rootfs.ts";
import { noFeatures } from "../runtime/runtime-features.ts";
import { readSeccompFile } from "../runtime/seccomp-file.ts";
import { type ContainerRecord, heldChainIds } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { ownNamespaces, planSysctls, podShm, userOf } from "./own-namespaces.ts";
import { joinedPidNamespaces } from "./pid-namespace.ts";
import type { ContainerPlan } from "./plan-container.ts";
import { podHostname } from "./plan-sandbox.ts";
import { mountLabel, selinuxOf } from "./pod-selinux.ts";
import { releaseContainer } from "./release-container.ts";

/** A host path on a file server that does not answer must not keep the pod from being stopped. */
const sourcesTimeoutMs = 30_000;

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
  deps.images.hold(record.id, heldChainIds(record));
  deps.containers.put(record);
  failpoint("create.recorded");
  await using undo = new AsyncDisposableStack();
  undo.defer(() => undoCreate(deps, record));
  deps.shims.prepare(sandbox);

  // The init layer lies on top of the image's: whatever links an image has at /dev, /proc and /etc, ours are found.
  const lower = [deps.initLayer, ...deps.images.lowerDirectories(record.topChainId)];
  const { settings } = record.spec;
  const context = mountLabel(deps.facts, sandbox, settings.security);
  const { user: podUser } = userOf(pod, sandbox.spec);
  const idMap = podUser && { userns: podUser.path, mapping: podUser.mapping, staging: paths.idMapped };
  mountRootfs({ lower, upper: paths.upper, work: paths.work, target: paths.rootfs, context, idMap });
  failpoint("create.rootfs-mounted");
  const { rootfs } = paths;
  const user = resolveUser(rootfs, settings.security.user, image.config.user);
  const { mounts } = settings;
  const volumes = await prepareVolumes({ rootfs, volumes: image.config.volumes, mounts, directory: paths.volumes });
  failpoint("create.volumes-filled");
  const imageSources = mountImages(deps, record, paths.imageMounts, idMap);
  failpoint("create.images-mounted");
  const joined = joinedPidNamespaces(deps, sandbox, record);
  const { seccomp } = settings.security;
  const own = ownNamespaces(pod, sandbox.spec);
  const cdi = await within("Reading CDI specs", sourcesTimeoutMs, resolveCdi(deps.cdiDirectories, settings.cdiDevices));
  const sources = await within("Looking at the mounts' sources", sourcesTimeoutMs, resolveBindSources(mounts));
  const planned = planSpec({
    containerId: record.id,
    sandbox: {
      id: sandbox.id,
      name: sandbox.spec.metadata.name,
      namespace: sandbox.spec.metadata.namespace,
      uid: sandbox.spec.metadata.uid,
      hostname: podHostname(sandbox),
      netnsPath: own.net,
      ipcPath: own.ipc,
      utsPath: own.uts,
      ...userOf(pod, sandbox.spec),
      sysctls: planSysctls(sandbox.spec).inside,
      ...(joined.pod === undefined ? {} : { pidNamespacePath: joined.pod }),
      hostsPath: pod.hosts,
      hostnamePath: pod.hostname,
      resolvConfPath: pod.resolvConf,
      shmPath: podShm(pod, sandbox.spec),
      cgroupParent: pod.cgroup,
      privileged: sandbox.spec.privileged,
      ...selinuxOf(sandbox),
    },
    containerName: record.spec.metadata.name,
    imageName: record.spec.image,
    settings,
    image: image.config,
    user,
    facts: deps.facts,
    ...(seccomp.kind === "localhost" && { seccompFile: readSeccompFile(seccomp.reference) }),
    ...(deps.facts.apparmor && { apparmorProfiles: await loadedApparmorProfiles() }),
    bindSources: podUser === undefined ? sources : mapSources(mounts, sources, podUser.path, paths.idMapped),
    volumes,
    imageSources,
    features: deps.features.get(sandbox.handler) ?? noFeatures,
    devices: await resolveDevices(settings.devices),
    ...(joined.target === undefined ? {} : { targetPidNamespacePath: joined.target }),
    ...(settings.security.privileged ? { hostDevices: readHostDevices() } : {}),
  });
  const spec = applyCdi(planned, cdi);
  checkWorkingDirectory(rootfs, spec.process.cwd);
  writeBundle(paths.bundle, spec);
  if (podUser !== undefined) letThrough(deps.layout.state, paths.bundle);
  failpoint("create.bundle-written");
  deps.containers.put({ ...record, state: { kind: "created" }, user });
  failpoint("create.done");
  undo.move();
  return record.id;
}

/** Mounts the images it asks for where its removal finds them. @returns host paths by container path */
function mountImages(
  deps: SandboxDeps,
  record: ContainerRecord,
  parent: string,
  idMap: LayerIdMap | undefined,
): ReadonlyMap<string, string> {
  const subPaths = new Map(
    record.spec.settings.mounts.filter(isImageMount).map((mount) => [mount.containerPath, mount.imageSubPath]),
  );
  const mounted = (record.imageMounts ?? []).map(({ containerPath, topChainId }, index) => {
    const lower = deps.images.lowerDirectories(topChainId);
    const subPath = subPaths.get(containerPath) ?? "";
    return [containerPath, mountImage({ lower, subPath, directory: join(parent, String(index)), idMap })] as const;
  });
  return new Map(mounted);
}

async function undoCreate(deps: SandboxDeps, record: ContainerRecord): Promise<void> {
  try {
    await releaseContainer(deps, record);
    deps.containers.delete(record.id);
  } catch (error) {
    deps.log.error(
      { containerId: record.id, error },
      "failed container can't be undone yet; its removal will try again",
    );
  }
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../common/errors.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { SandboxDeps } from "./deps.ts";
import { containerPaths, sandboxPaths } from "./host-paths.ts";
import { ownNamespaces } from "./own-namespaces.ts";
import type { PodResources, SandboxRecord } from "./sandbox-record.ts";

type DescribeDeps = Pick<SandboxDeps, "layout" | "handlers" | "sandboxes" | "network" | "images">;

/** What `crictl inspectp` prints beside the status: where the pod lives on this host. Field names as containerd's. */
export async function describeSandbox(deps: DescribeDeps, record: SandboxRecord): Promise<object> {
  const paths = sandboxPaths(deps.layout, record.id, record.spec.cgroupParent);
  return {
    runtimeHandler: record.handler,
    runtimeType: runtimeType(deps, record),
    pid: await readHolderPid(paths.bundle),
    state: record.state,
    message: record.message,
    netNsPath: ownNamespaces(paths, record.spec).net ?? "",
    netNsClosed: record.network === undefined,
    cgroupPath: paths.cgroup,
    bundlePath: paths.bundle,
    network: record.network ?? null,
    metadata: record.spec.metadata,
    namespaceOptions: record.spec.namespaces,
    resources: podResources(record),
    imageCache: imageCacheOf(record),
    runtimeSpec: await readRuntimeSpec(paths.bundle),
  };
}

/** What `crictl inspect` prints beside the status. Field names as containerd's. */
export async function describeContainer(deps: DescribeDeps, record: ContainerRecord): Promise<object> {
  const sandbox = deps.sandboxes.find(record.sandboxId);
  const pod = sandboxPaths(deps.layout, record.sandboxId, sandbox?.spec.cgroupParent ?? "");
  const paths = containerPaths(deps.layout, record.id, pod.cgroup);
  return {
    sandboxID: record.sandboxId,
    pid: record.state.kind === "running" ? record.state.pid : 0,
    removing: record.state.kind === "removing",
    snapshotKey: record.topChainId,
    snapshotter: deps.images.snapshotterOf(record.topChainId) ?? "",
    runtimeType: sandbox === undefined ? "" : runtimeType(deps, sandbox),
    cgroupPath: paths.cgroup,
    bundlePath: paths.bundle,
    runtimeSpec: await readRuntimeSpec(paths.bundle),
  };
}

/** The image cache it was given and why, with the annotation that the cloud would write back to the pod; null: it asked for none. */
function imageCacheOf({ imageCache }: SandboxRecord): object | null {
  if (imageCache === undefined) return null;
  const { cacheId, cacheName, reason, images, builtCacheId, wish } = imageCache;
  return {
    id: cacheId,
    name: cacheName,
    reason,
    images,
    madeOfItsImages: builtCacheId,
    wish,
    annotations: cacheId === "" ? {} : { "k8s.aliyun.com/eci-matched-image-cache": cacheId },
  };
}

/** A pod's own limits and its overhead, as told last. */
function podResources({ resources, spec }: SandboxRecord): PodResources {
  return resources ?? { overhead: spec.overhead, resources: spec.resources };
}

function runtimeType(deps: DescribeDeps, record: SandboxRecord): string {
  return deps.handlers.get(record.handler)?.shim ?? "";
}

/** The process that holds the pod's PID namespace, by the file its shim writes; 0 where a pod needs none. */
async function readHolderPid(bundle: string): Promise<number> {
  try {
    return Number(await readFile(join(bundle, "init.pid"), "utf8"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return 0;
    throw error;
  }
}

/** The OCI spec as written, or null when the bundle is gone (another boot). */
async function readRuntimeSpec(bundle: string): Promise<object | null> {
  try {
    return JSON.parse(await readFile(join(bundle, "config.json"), "utf8"));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw error;
  }
}

/**
 * Which course of events passes each failpoint of src:
 * - `life`: a pod's whole life and its image's, one call after the other
 * - `stubborn`: the same with a container that ignores its stop signal and is removed before its pod is stopped
 * - `held`: the same while somebody else holds the pod's network namespace, so that its link doesn't go with it
 * - `shared`: the same with one PID namespace for the pod
 * - `published`: the same with a port of the host
 * - `limited`: the same with limits of bandwidth
 * - `mapped`: the same with a user namespace
 * - `running`: a pod is removed while its container runs
 * - `silent`: the same while the pod's shim is stopped, from before the container is stopped
 * - `recovery`: an agent starts beside a pod that runs
 * - `indexed`, `indexed-recovery`: as `life` and `recovery`, with layers kept as EROFS indexes
 * - `warm`: an agent launches shims ahead of their pods, and gives one to a pod (warm-shims.test.ts)
 * - `cni`: a pod's life on a CNI network with a port of the host (cni.test.ts)
 * - `cache`, `cache-update`, `cache-failure`: an image cache is made and deleted, is changed, can't be made (image-caches.test.ts)
 * - `host`: an agent starts on a host without anything of it, runs nothing, and ends
 */
export type Course =
  | "life"
  | "stubborn"
  | "held"
  | "shared"
  | "mapped"
  | "published"
  | "limited"
  | "running"
  | "silent"
  | "recovery"
  | "indexed"
  | "indexed-recovery"
  | "warm"
  | "cni"
  | "cache"
  | "cache-update"
  | "cache-failure"
  | "host";

/** Every failpoint there is; a test compares the list with src. */
export const killPoints: Readonly<Record<string, Course>> = {
  "pull.resolved": "life",
  "pull.intent": "life",
  "pull.content": "life",
  "pull.layer-staging": "life",
  "pull.layer-unpacking": "life",
  "pull.layer-unpacked": "life",
  "pull.layer-staged": "life",
  "pull.layer-commit": "life",
  "pull.layer-mounted": "indexed",
  "pull.layer-fitting": "indexed",
  "pull.layer-indexed": "indexed",
  "pull.snapshot-placed": "life",
  "pull.snapshot-fitted": "life",
  "pull.snapshots-synced": "life",
  "pull.snapshots-recorded": "life",
  "pull.layer-committed": "life",
  "pull.layers": "life",
  "pull.synced": "life",
  "pull.recorded": "life",

  "run.recorded": "life",
  "run.shm-mounted": "life",
  "net.namespace-pinned": "life",
  "run.user-namespace-made": "mapped",
  "run.namespaces-created": "life",
  "net.eni-allocated": "life",
  "net.eni-link": "life",
  "net.eni-pod": "life",
  "net.host-ports": "published",
  "net.eni-shaping": "limited",
  "net.eni-router": "life",
  "net.eni-rules": "life",
  "run.network-attached": "life",
  "run.bundle-written": "life",
  "run.pid-namespace-held": "shared",
  "run.pid-namespace-pinned": "shared",
  "run.shim-starting": "life",
  "run.shim-started": "life",
  "run.shim-recorded": "life",
  "run.ready": "life",

  "create.recorded": "life",
  "create.layers-mapped": "mapped",
  "create.rootfs-mounted": "life",
  "create.volumes-filled": "life",
  "create.images-mounted": "life",
  "create.bundle-written": "life",
  "create.done": "life",

  "start.recorded": "life",
  "start.shim-ready": "life",
  "start.io-opened": "life",
  "start.task-created": "life",
  "start.task-started": "life",
  "start.done": "life",

  "exec.directory-made": "life",
  "exec.added": "life",
  "exec.started": "life",

  "update.recorded": "life",
  "update.runtime-updated": "life",
  "update.bundle-written": "life",
  "update.done": "life",

  "stop.signal-sent": "life",
  "stop.kill-sent": "stubborn",
  "stop.kill-recorded": "silent",
  "stop.recorded": "life",
  "stop.containers-stopped": "running",
  "net.eni-cut": "life",
  "net.eni-released": "life",
  "net.links-deleted": "held",
  "stop.network-detached": "life",
  "net.namespace-unpinned": "life",
  "stop.netns-removed": "life",
  "stop.shim-ended": "life",
  "stop.done": "life",

  "remove.container-recorded": "life",
  "remove.task-deleted": "stubborn",
  "remove.task-deleted-by-runtime": "silent",
  "remove.rootfs-unmounted": "running",
  "remove.container-disk-removed": "life",
  "remove.container-bundle-removed": "life",
  "remove.container-done": "life",
  "remove.recorded": "running",
  "remove.containers-removed": "running",
  "remove.shm-unmounted": "life",
  "remove.namespaces-removed": "life",
  "remove.bundle-removed": "life",
  "remove.done": "life",
  "remove.image-intent": "life",
  "remove.image-record": "life",
  "remove.image-layers": "life",
  "remove.snapshot-forgotten": "life",

  "net.cni-recorded": "cni",
  "net.cni-plugin-added": "cni",
  "net.cni-attached": "cni",
  "net.cni-plugin-deleted": "cni",
  "net.cni-forgotten": "cni",

  "cache.recorded": "cache",
  "cache.begun": "cache",
  "cache.image-kept": "cache",
  "cache.ready": "cache",
  "cache.update-recorded": "cache-update",
  "cache.failed": "cache-failure",
  "cache.forgotten": "cache",
  "cache.removed": "cache",

  "warm.bundle-written": "warm",
  "warm.shim-ready": "warm",
  "run.shim-claimed": "warm",

  "recover.erofs-probed": "indexed-recovery",
  "recover.pod-observed": "recovery",
  "recover.containers-done": "recovery",

  "net.vpcs-recorded": "host",
  "net.host-rules": "host",
  "net.router-namespace": "host",
  "net.router-link": "host",
  "net.router-rules": "host",
  "net.router-routes": "host",
  "net.router-unlinked": "host",
  "net.router-removed": "host",
};

/** A failpoint and the course that passes it. */
export type KillPoint = readonly [name: string, course: Course];

/** The failpoints that any of the courses passes. */
export function pointsOn(...courses: readonly Course[]): readonly KillPoint[] {
  return Object.entries(killPoints).filter(([, course]) => courses.includes(course));
}

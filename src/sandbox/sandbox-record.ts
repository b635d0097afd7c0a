import type { SandboxId } from "../common/ids.ts";
import type { PodImageCache } from "../images/caches/pod-image-cache.ts";
import type { PodInterface } from "../network/pod-network.ts";
import type { Resources } from "../runtime/container-settings.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";

/**
 * ```
 *              network up, files written            StopPodSandbox, shim or boot lost
 *  creating ───────────────────────────► ready ────────────────────────────────────► notReady
 *      │                                                                                 │
 *      └── failed and undone: record gone        RemovePodSandbox: ► removing ► record gone
 * ```
 * `creating` and `removing` are never shown to callers as READY; recovery finishes or undoes them.
 */
export type SandboxState = "creating" | "ready" | "notReady" | "removing";

/** A pod's limits as its caller set them on the pod's cgroup: for people and statistics, nothing here applies them. */
export interface PodResources {
  readonly overhead: Resources | undefined;
  readonly resources: Resources | undefined;
}

/** The durable truth about one pod sandbox. */
export interface SandboxRecord {
  readonly id: SandboxId;
  readonly state: SandboxState;
  readonly spec: SandboxSpec;
  /** The handler that serves it, never empty. */
  readonly handler: string;
  /** Milliseconds since the epoch, with a fraction; strictly increasing over all sandboxes of an agent. */
  readonly createdAtMs: number;
  /** Boot the kernel objects belong to; of another boot, they are gone. */
  readonly bootId: string;
  /** Set from the moment addresses are up until the network is detached. */
  readonly network: PodInterface | undefined;
  /** What UpdatePodSandboxResources told last; before that, the spec's are the pod's. */
  readonly resources?: PodResources;
  /** On a host with SELinux: the level that only this pod has, such as "s0:c1,c2". */
  readonly selinuxLevel?: string;
  /** What became of its wish for an image cache; absent: it has none. */
  readonly imageCache?: PodImageCache;
  /** Why it isn't ready, for people. */
  readonly message: string;
}

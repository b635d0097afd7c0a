import type { ContainerId, SandboxId } from "../common/ids.ts";
import type { KeyedMutex } from "../common/keyed-mutex.ts";
import type { Log } from "../common/log.ts";
import type { PodImageCaches } from "../images/caches/pod-image-caches.ts";
import type { Images } from "../images/images.ts";
import type { NetworkProvider } from "../network/network-provider.ts";
import type { Cgroups } from "../runtime/cgroups.ts";
import type { HostFacts } from "../runtime/host-facts.ts";
import type { PodDialer } from "../runtime/pod-dialer.ts";
import type { PodNamespaces } from "../runtime/pod-namespaces.ts";
import type { RuntimeFeatures } from "../runtime/runtime-features.ts";
import type { RuntimeHandler } from "../runtime/runtime-handler.ts";
import type { ContainerTasks } from "./container-tasks.ts";
import type { CreationClock } from "./creation-clock.ts";
import type { HostLayout } from "./host-paths.ts";
import type { PodConnections } from "./pod-connections.ts";
import type { PodRecoveries } from "./pod-recoveries.ts";
import type { PodShims } from "./pod-shims.ts";
import type { ContainerStore, SandboxStore } from "./record-stores.ts";
import type { WarmShims } from "./warm-shims.ts";

/** The parts the lifecycle works with; main.ts builds them, each function names the few it uses. */
export interface SandboxDeps {
  readonly log: Log;
  readonly layout: HostLayout;
  readonly bootId: string;
  readonly facts: HostFacts;
  /** Directory that lies on top of every image's layers. */
  readonly initLayer: string;
  readonly handlers: ReadonlyMap<string, RuntimeHandler>;
  readonly defaultHandler: string;
  /** Where CDI specs are; a later directory's win. */
  readonly cdiDirectories: readonly string[];
  /** What each handler's runtime can do. */
  readonly features: ReadonlyMap<string, RuntimeFeatures>;
  readonly clock: CreationClock;
  readonly newId: () => string;
  /** Locks by sandbox or container id. Order: a sandbox's before its containers'. */
  readonly locks: KeyedMutex;
  readonly sandboxes: SandboxStore;
  readonly containers: ContainerStore;
  readonly images: Pick<Images, "resolve" | "hold" | "release" | "lowerDirectories" | "snapshotterOf">;
  readonly imageCaches: Pick<PodImageCaches, "choose" | "withImage">;
  readonly network: NetworkProvider;
  readonly namespaces: PodNamespaces;
  readonly cgroups: Cgroups;
  readonly shims: PodShims;
  readonly warmShims: WarmShims;
  readonly tasks: ContainerTasks;
  readonly dialer: PodDialer;
  readonly connections: PodConnections;
  /** Pods that are still being looked at after a start. */
  readonly recoveries: PodRecoveries;
}

/** Ids of the containers of one sandbox. */
export function containersOf(deps: Pick<SandboxDeps, "containers">, sandboxId: SandboxId): readonly ContainerId[] {
  return deps.containers
    .list()
    .filter((record) => record.sandboxId === sandboxId)
    .map((record) => record.id);
}

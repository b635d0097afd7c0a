import type { Log } from "../common/log.ts";
import type { Database } from "../state/database.ts";
import type { TransferLimits } from "./blob-source.ts";
import type { ImageCachesDependencies } from "./caches/image-caches.ts";
import type { CredentialSource } from "./credentials/credential-source.ts";
import type { ImageGcSettings } from "./image-gc.ts";
import type { LayerLimits } from "./layer-job.ts";
import type { SnapshotForm } from "./snapshot-form.ts";

/** What the images of a node are set up with. */
export interface ImagesOptions {
  /** The agent's `root`. */
  readonly rootDirectory: string;
  readonly database: Database;
  readonly log: Log;
  /** Directory of the hosts.toml files; "": none. */
  readonly registryConfigPath: string;
  /** What layers are unpacked as from now on; those that are here stay as they are. */
  readonly snapshotter: SnapshotForm;
  /** Layers unpacked at a time; 0: from the cores. */
  readonly parallelLayers: number;
  /** Whether an image is on stable storage before it is recorded. */
  readonly durable: boolean;
  readonly limits?: TransferLimits;
  /** What one layer may cost. */
  readonly layerLimits?: LayerLimits;
  /** Where credentials come from for pulls without; whoever opened them closes them. */
  readonly credentialSources?: readonly CredentialSource[];
  /** When images that nobody uses go; without it none do. `pinned` as {@link PinnedReferences} takes it. */
  readonly gc?: ImageGcSettings & { readonly pinned: readonly string[] };
  /** Without it there are no image caches. */
  readonly caches?: Pick<ImageCachesDependencies, "limit" | "pullSecrets">;
}

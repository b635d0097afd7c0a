import type { Digest } from "../common/ids.ts";
import type { Database } from "../state/database.ts";
import type { StagedLayer } from "./layer-job.ts";

export interface SnapshotStoreOptions {
  /** `<root>`: holds `snapshots` and `ingest`. */
  readonly rootDirectory: string;
  readonly database: Database;
  /** Whether sync() waits for the disk (config images.durable). */
  readonly durable: boolean;
}

export interface SnapshotIds {
  readonly chainId: Digest;
  readonly parentChainId: Digest | undefined;
  readonly diffId: Digest;
}

/** One committed layer on its parents. */
export interface Snapshot extends SnapshotIds {
  /** Short name of its directory under `<root>/snapshots`. */
  readonly number: number;
  /** Bytes of file content in this layer alone. */
  readonly sizeBytes: number;
  readonly inodes: number;
}

/** Unpacked layers as directories for overlayfs, one for each chain id, shared by all images that contain it. */
export class SnapshotStore {
  readonly #options: SnapshotStoreOptions;

  constructor(options: SnapshotStoreOptions) {
    this.#options = options;
  }

  has(_chainId: Digest): boolean {
    throw new Error(`not built yet: ${this.#options.rootDirectory}`);
  }

  /**
   * Makes a staged layer the snapshot of its chain id. Its parent must be committed. The record is written by the next
   * {@link sync}, after the data is durable.
   */
  commit(_staged: StagedLayer, _ids: SnapshotIds): Promise<void> {
    throw new Error("not built yet");
  }

  /** Removes a staged layer. */
  discard(_staged: StagedLayer): Promise<void> {
    throw new Error("not built yet");
  }

  /** Makes every commit so far durable: syncfs, then the records. */
  sync(): Promise<void> {
    throw new Error("not built yet");
  }

  /** The layer directories of a chain, overlay order: top first. */
  lowerDirectories(_topChainId: Digest): string[] {
    throw new Error("not built yet");
  }

  list(): readonly Snapshot[] {
    throw new Error("not built yet");
  }

  remove(_chainId: Digest): Promise<void> {
    throw new Error("not built yet");
  }

  /** At start: drops directories without a record, records without a directory, and unfinished ingests. */
  recover(): Promise<void> {
    throw new Error("not built yet");
  }

  usage(): { readonly bytes: number; readonly inodes: number } {
    throw new Error("not built yet");
  }
}

import { existsSync, mkdirSync, readdirSync, realpathSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { AgentError, primaryError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Digest } from "../common/ids.ts";
import { runSliced } from "../common/time-slice.ts";
import type { Database } from "../state/database.ts";
import { RecordTable } from "../state/record-table.ts";
import { removeTree } from "../system/files.ts";
import { unmount } from "../system/mount.ts";
import { listMounts } from "../system/mountinfo.ts";
import { syncFileSystem } from "../system/sync-file-system.ts";
import { applyFixUps } from "./apply-fix-ups.ts";
import type { FittingJob } from "./erofs/fit-indexed-layer.ts";
import { indexedLayerPaths } from "./erofs/indexed-layer-paths.ts";
import { LayerMounts } from "./erofs/layer-mounts.ts";
import { layerFault } from "./layer-error.ts";
import { hasFixUps, type StagedLayer } from "./layer-job.ts";
import { openLowerView } from "./lower-view.ts";
import type { SnapshotForm } from "./snapshot-form.ts";
import { decodeSnapshot, type Snapshot, type SnapshotIds } from "./snapshot-record.ts";

export interface SnapshotStoreOptions {
  /** `<root>`: holds `snapshots` and `ingest`. */
  readonly rootDirectory: string;
  readonly database: Database;
  /** Whether sync() waits for the disk (config images.durable). */
  readonly durable: boolean;
  /** What fits indexed layers onto their parents, off the event loop. */
  readonly fitter: { fit(job: FittingJob): Promise<void> };
}

/** The directory itself, the mount point, the tar and the index. */
const indexedInodes = 4;

/**
 * Unpacked layers as lower directories for overlayfs, one for each chain id, shared by all images that contain it. Each
 * keeps the form it was unpacked in, and a chain may have both, for it is overlayfs that puts them together.
 *
 * A commit moves a staged layer into place; its record follows at the next {@link sync}, when the data is durable. So a
 * record always stands for a whole directory, and a directory without a record is a leftover.
 */
export class SnapshotStore {
  readonly #directory: string;
  readonly #ingestDirectory: string;
  readonly #durable: boolean;
  readonly #database: Database;
  readonly #table: RecordTable<Snapshot>;
  readonly #fitter: SnapshotStoreOptions["fitter"];
  readonly #mounts: LayerMounts;
  readonly #snapshots = new Map<Digest, Snapshot>();
  /** Committed, but not recorded yet. */
  readonly #unrecorded = new Set<Digest>();
  #lastNumber = 0;

  constructor(options: SnapshotStoreOptions) {
    this.#directory = join(options.rootDirectory, "snapshots");
    this.#ingestDirectory = join(options.rootDirectory, "ingest");
    this.#durable = options.durable;
    this.#database = options.database;
    this.#table = new RecordTable(options.database, "snapshots", decodeSnapshot);
    this.#fitter = options.fitter;
    for (const path of [this.#directory, this.#ingestDirectory]) mkdirSync(path, { recursive: true, mode: 0o700 });
    this.#mounts = new LayerMounts(this.#directory);
    this.#load();
  }

  has(chainId: Digest): boolean {
    return this.#snapshots.has(chainId);
  }

  /**
   * Makes a staged layer the snapshot of its chain id; committed already counts as done. The staged directory is gone
   * afterwards, also after a failure.
   * @throws AgentError FailedPrecondition when its parent is not committed, InvalidArgument when the layer does not fit
   *   on its parents, ResourceExhausted, SystemFailure
   */
  async commit(staged: StagedLayer, ids: SnapshotIds): Promise<void> {
    const { chainId, parentChainId, diffId } = ids;
    if (this.has(chainId)) return await this.discard(staged);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.discard(staged));
    if (parentChainId !== undefined) await this.#fitOnParents(staged, parentChainId);
    failpoint("pull.snapshot-fitted");
    // Another pull may have committed the same chain meanwhile; from here on nothing waits.
    if (this.has(chainId)) return;
    this.#lastNumber++;
    const number = this.#lastNumber;
    const { form, hidesLower } = staged;
    const usage = usageOf(staged);
    renameSync(staged.directory, join(this.#directory, String(number)));
    failpoint("pull.snapshot-placed");
    this.#snapshots.set(chainId, { chainId, parentChainId, diffId, number, form, ...usage, hidesLower });
    this.#unrecorded.add(chainId);
    undo.move();
  }

  /** Removes a staged layer. Gone already counts as done. */
  async discard(staged: StagedLayer): Promise<void> {
    await removeTree(staged.directory);
  }

  /**
   * Makes every commit so far durable: the data first, then the records.
   * @throws AgentError SystemFailure when the disk can't take the data
   */
  async sync(): Promise<void> {
    const batch = [...this.#unrecorded];
    if (batch.length === 0) return;
    if (this.#durable) await syncFileSystem(this.#directory);
    failpoint("pull.snapshots-synced");
    this.#database.transaction(() => {
      for (const chainId of batch) {
        const snapshot = this.#snapshots.get(chainId);
        // Removed or recorded by another pull while the disk was busy.
        if (snapshot === undefined || !this.#unrecorded.has(chainId)) continue;
        this.#table.put(chainId, snapshot);
      }
    });
    for (const chainId of batch) this.#unrecorded.delete(chainId);
    failpoint("pull.snapshots-recorded");
  }

  /**
   * The layer directories of a chain, overlay order: top first. What has to be mounted for them is, until
   * {@link unmountUnneeded} takes it off.
   * @throws AgentError NotFound when a layer of the chain is not here, SystemFailure
   */
  lowerDirectories(topChainId: Digest): string[] {
    const layers: Snapshot[] = [];
    for (let chainId: Digest | undefined = topChainId; chainId !== undefined; ) {
      const snapshot = this.#snapshots.get(chainId);
      if (snapshot === undefined) throw new AgentError("NotFound", `No snapshot of chain "${chainId}" is on this node`);
      layers.push(snapshot);
      chainId = snapshot.hidesLower ? undefined : snapshot.parentChainId;
    }
    return layers.map(({ form, number }) =>
      form === "erofs" ? this.#mounts.ensure(number) : join(this.#directory, String(number), "fs"),
    );
  }

  /** How a chain's top layer is kept; undefined when it is not here. */
  formOf(topChainId: Digest): SnapshotForm | undefined {
    return this.#snapshots.get(topChainId)?.form;
  }

  /** Takes off the mounts of all other snapshots than these; what stands on them goes on. @throws SystemError */
  unmountUnneeded(needed: ReadonlySet<Digest>): void {
    const kept = new Set(this.list().flatMap(({ chainId, number }) => (needed.has(chainId) ? [number] : [])));
    for (const number of this.#mounts.list()) if (!kept.has(number)) this.#mounts.release(number);
  }

  list(): readonly Snapshot[] {
    return [...this.#snapshots.values()];
  }

  /**
   * Removes one snapshot; absent already counts as done.
   * @throws AgentError FailedPrecondition while another snapshot stands on it
   */
  async remove(chainId: Digest): Promise<void> {
    const snapshot = this.#snapshots.get(chainId);
    if (snapshot === undefined) return;
    const child = this.list().find((other) => other.parentChainId === chainId);
    if (child !== undefined) {
      throw new AgentError(
        "FailedPrecondition",
        `Cannot remove snapshot "${chainId}": "${child.chainId}" stands on it`,
      );
    }
    this.#table.delete(chainId);
    this.#snapshots.delete(chainId);
    this.#unrecorded.delete(chainId);
    failpoint("remove.snapshot-forgotten");
    this.#mounts.release(snapshot.number);
    await removeTree(join(this.#directory, String(snapshot.number)));
  }

  /**
   * At start, before anything else: removes what crashed pulls and removals left (unfinished ingests, directories
   * without a record) and forgets records whose directory is gone, with all that stood on them.
   */
  async recover(): Promise<void> {
    const ingests = `${realpathSync(this.#ingestDirectory)}/`;
    for (const { target } of listMounts().toReversed()) if (target.startsWith(ingests)) await unmount(target);
    const indexed = new Set(this.list().flatMap(({ form, number }) => (form === "erofs" ? [number] : [])));
    this.#mounts.adopt((number) => indexed.has(number));
    await this.#removeAll(this.#ingestDirectory, () => false);
    const numbers = new Set(this.list().map(({ number }) => String(number)));
    await this.#removeAll(this.#directory, (name) => numbers.has(name));
    for (let lost = this.#findLost(); lost !== undefined; lost = this.#findLost()) {
      this.#table.delete(lost.chainId);
      this.#snapshots.delete(lost.chainId);
      this.#mounts.release(lost.number);
      await removeTree(join(this.#directory, String(lost.number)));
    }
  }

  usage(): { readonly bytes: number; readonly inodes: number } {
    let bytes = 0;
    let inodes = 0;
    for (const snapshot of this.#snapshots.values()) {
      bytes += snapshot.sizeBytes;
      inodes += snapshot.inodes;
    }
    return { bytes, inodes };
  }

  #load(): void {
    // A row that can't be read stands for a directory that recover() then removes: the layer is simply pulled again.
    const unreadable: string[] = [];
    for (const snapshot of this.#table.list((id) => unreadable.push(id))) {
      this.#snapshots.set(snapshot.chainId, snapshot);
    }
    for (const id of unreadable) this.#table.delete(id);
    // Counted over directories as well: one that waits for recover() must not be taken again.
    const numbers = [...this.list().map(({ number }) => number), ...readdirSync(this.#directory).map(Number)];
    this.#lastNumber = Math.max(0, ...numbers.filter(Number.isSafeInteger));
  }

  /** Settles what the layer left open because it was unpacked without its parents. */
  async #fitOnParents(staged: StagedLayer, parentChainId: Digest): Promise<void> {
    if (!this.has(parentChainId)) {
      throw new AgentError("FailedPrecondition", `Cannot commit layer "${staged.diffId}": its parent is not committed`);
    }
    if (!hasFixUps(staged.fixUps)) return;
    try {
      await using lower = await openLowerView(this.lowerDirectories(parentChainId), staged.directory);
      if (staged.form === "overlay") await runSliced(applyFixUps(staged, lower.fd));
      else await this.#fitter.fit({ directory: staged.directory, chainId: staged.chainId, lowerFd: lower.fd });
    } catch (error) {
      throw layerFault(primaryError(error));
    }
  }

  #findLost(): Snapshot | undefined {
    return this.list().find(
      (snapshot) =>
        !this.#isWhole(snapshot) || (snapshot.parentChainId !== undefined && !this.has(snapshot.parentChainId)),
    );
  }

  #isWhole({ number, form, sizeBytes }: Snapshot): boolean {
    const directory = join(this.#directory, String(number));
    if (!existsSync(join(directory, "fs"))) return false;
    return form === "overlay" || indexedBytes(directory) === sizeBytes;
  }

  async #removeAll(directory: string, keep: (name: string) => boolean): Promise<void> {
    for (const name of readdirSync(directory)) {
      if (!keep(name)) await removeTree(join(directory, name));
    }
  }
}

function usageOf({ form, directory, contentBytes, entryCount }: StagedLayer): Pick<Snapshot, "sizeBytes" | "inodes"> {
  if (form === "overlay") return { sizeBytes: contentBytes, inodes: entryCount };
  return { sizeBytes: indexedBytes(directory) ?? 0, inodes: indexedInodes };
}

/** Bytes of an indexed layer's files; undefined when one is missing. */
function indexedBytes(directory: string): number | undefined {
  const { data, index } = indexedLayerPaths(directory);
  const sizes = [data, index].map((path) => statSync(path, { throwIfNoEntry: false })?.size);
  return sizes.reduce((sum, size) => (sum === undefined || size === undefined ? undefined : sum + size), 0);
}

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Digest, parseDigest } from "../../src/common/ids.ts";
import { defaultLimits, defaultTransport } from "../../src/images/blob-source.ts";
import type { LayerJob, LayerLimits, StagedLayer } from "../../src/images/layer-job.ts";
import { LayerPool } from "../../src/images/layer-pool.ts";
import type { SnapshotForm } from "../../src/images/snapshot-form.ts";
import { SnapshotStore } from "../../src/images/snapshot-store.ts";
import { Database } from "../../src/state/database.ts";
import { unmount } from "../../src/system/mount.ts";
import { listMounts } from "../../src/system/mountinfo.ts";
import { mountOverlay } from "../../src/system/overlay.ts";
import { removeTreeNow } from "../../src/system/remove-tree.ts";
import { ScriptedServer } from "./scripted-server.ts";

export type Compression = "none" | "gzip" | "zstd";

const mediaTypes = {
  none: "application/vnd.oci.image.layer.v1.tar",
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
} as const;

/** What a test may tell wrongly about a layer. */
export interface JobChanges {
  readonly compression?: Compression;
  /** The blob as it is served, if not the tar compressed as told. */
  readonly blob?: Buffer;
  readonly mediaType?: string;
  readonly sizeBytes?: number;
  readonly digest?: Digest;
  readonly diffId?: Digest;
}

export interface LayerFixtureOptions {
  /** Default "overlay". */
  readonly form?: SnapshotForm;
  readonly limits?: LayerLimits;
}

/** A store, a pool and a blob server of one test, in a directory of their own on the disk. */
export class LayerFixture implements AsyncDisposable {
  readonly directory: string;
  readonly database: Database;
  /** What layers are unpacked as. */
  form: SnapshotForm;
  snapshots: SnapshotStore;
  readonly #pools: Readonly<Record<SnapshotForm, LayerPool>>;
  readonly #server: ScriptedServer;
  readonly #blobs: Map<string, Buffer>;
  readonly #mounts: string[] = [];

  private constructor(
    directory: string,
    server: ScriptedServer,
    blobs: Map<string, Buffer>,
    { form = "overlay", limits }: LayerFixtureOptions,
  ) {
    this.directory = directory;
    this.#server = server;
    this.#blobs = blobs;
    this.database = Database.open(join(directory, "records.db"));
    this.form = form;
    const open = (of: SnapshotForm) =>
      new LayerPool({ workers: 2, ingestDirectory: this.ingest, form: of, ...(limits && { limits }) });
    this.#pools = { overlay: open("overlay"), erofs: open("erofs") };
    this.snapshots = this.openStore();
  }

  static async start(options: LayerFixtureOptions = {}): Promise<LayerFixture> {
    mkdirSync("/var/tmp/podling-test", { recursive: true });
    const blobs = new Map<string, Buffer>();
    const server = await ScriptedServer.start(({ path }, response) => {
      const blob = blobs.get(path);
      if (blob === undefined) response.writeHead(404).end();
      else response.writeHead(200, { "content-length": blob.length }).end(blob);
    });
    return new LayerFixture(mkdtempSync("/var/tmp/podling-test/layers-"), server, blobs, options);
  }

  get pool(): LayerPool {
    return this.#pools[this.form];
  }

  get ingest(): string {
    return join(this.directory, "ingest");
  }

  /** Another store on the same directory, as after a restart. */
  openStore(): SnapshotStore {
    return new SnapshotStore({
      rootDirectory: this.directory,
      database: this.database,
      durable: false,
      fitter: this.pool,
    });
  }

  /** Numbers of the snapshots that are mounted, as the kernel tells. */
  mounted(): readonly number[] {
    const targets = listMounts().map(({ target }) => /\/snapshots\/(\d+)\/fs$/.exec(target));
    return targets.flatMap((match) => (match?.input.startsWith(`${this.directory}/`) ? [Number(match[1])] : []));
  }

  /** A job for a tar, which is served from now on. */
  job(tar: Buffer, parentChainId?: Digest, changes: JobChanges = {}): LayerJob {
    const compression = changes.compression ?? "gzip";
    const packed = { none: (b: Buffer) => b, gzip: (b: Buffer) => gzipSync(b, { level: 1 }), zstd: zstdCompressSync };
    const blob = changes.blob ?? packed[compression](tar);
    const digest = changes.digest ?? digestOf(blob);
    const sizeBytes = changes.sizeBytes ?? blob.length;
    this.#blobs.set(`/${digest}`, blob);
    const diffId = changes.diffId ?? digestOf(tar);
    return {
      source: {
        digest,
        sizeBytes,
        endpoints: [{ url: `${this.#server.url}/${digest}`, privateHeaders: {}, transport: defaultTransport }],
        limits: { ...defaultLimits, triesWithoutProgress: 1, maxResumes: 1, retryDelayMs: 1 },
      },
      mediaType: changes.mediaType ?? mediaTypes[compression],
      digest,
      sizeBytes,
      diffId,
      chainId: parentChainId === undefined ? diffId : digestOf(Buffer.from(`${parentChainId} ${diffId}`)),
      parentChainId,
    };
  }

  stage(job: LayerJob, form = this.form): Promise<StagedLayer> {
    return this.#pools[form].unpack(job, () => undefined, new AbortController().signal);
  }

  /**
   * Unpacks all layers in parallel, bottom first in the list, and commits them in order.
   * @param formOf what each layer is unpacked as
   * @returns the top's chain id
   */
  async apply(
    tars: readonly Buffer[],
    compression: Compression = "none",
    formOf: (index: number) => SnapshotForm = () => this.form,
  ): Promise<Digest> {
    const jobs: LayerJob[] = [];
    for (const tar of tars) jobs.push(this.job(tar, jobs.at(-1)?.chainId, { compression }));
    const staged = await Promise.allSettled(jobs.map((job, index) => this.stage(job, formOf(index))));
    try {
      for (const [index, job] of jobs.entries()) {
        const outcome = staged[index];
        if (outcome?.status !== "fulfilled") throw outcome?.reason;
        await this.snapshots.commit(outcome.value, job);
      }
    } finally {
      for (const outcome of staged) {
        if (outcome.status === "fulfilled") await this.snapshots.discard(outcome.value);
      }
    }
    await this.snapshots.sync();
    const top = jobs.at(-1);
    if (top === undefined) throw new Error("an image has at least one layer");
    return top.chainId;
  }

  /** Where the merged tree of a chain can be looked at. */
  mount(topChainId: Digest): string {
    const lower = this.snapshots.lowerDirectories(topChainId);
    const target = mkdtempSync(join(this.directory, "mount-"));
    const empty = mkdtempSync(join(this.directory, "empty-"));
    // A read-only overlay has two layers at least; the empty one lies below, for the top one's root is what shows.
    mountOverlay({ lower: lower.length > 1 ? lower : [...lower, empty], target });
    this.#mounts.push(target);
    return target;
  }

  /** What unfinished work has left. */
  leftovers(): readonly string[] {
    return readdirSync(this.ingest);
  }

  async unmountAll(): Promise<void> {
    for (const target of this.#mounts.splice(0)) await unmount(target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.#pools).map((pool) => pool.close()));
    await this.unmountAll();
    this.snapshots.unmountUnneeded(new Set());
    await this.#server[Symbol.asyncDispose]();
    this.database[Symbol.dispose]();
    removeTreeNow(this.directory);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function digestOf(bytes: Uint8Array): Digest {
  return parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);
}

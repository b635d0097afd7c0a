import { join } from "node:path";
import { AgentError, errorText, hasCode } from "../common/errors.ts";
import { type Digest, newId } from "../common/ids.ts";
import { Quarantine } from "../state/quarantine.ts";
import { RecordTable } from "../state/record-table.ts";
import { defaultLimits } from "./blob-source.ts";
import { cacheStore, type PullTaker } from "./caches/cache-store.ts";
import { decodeImageCache } from "./caches/image-cache-record.ts";
import { ImageCaches } from "./caches/image-caches.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { ContentStore } from "./content-store.ts";
import { type CredentialRequest, noPod, type PullingPod } from "./credentials/credential-source.ts";
import { loadRegistryHosts } from "./hosts-config.ts";
import { ImageCatalogue } from "./image-catalogue.ts";
import { ImageGc } from "./image-gc.ts";
import { gcFacts } from "./image-gc-facts.ts";
import { decodeImageRecord, type ImageRecord } from "./image-record.ts";
import { decodeImageUse, ImageUses } from "./image-uses.ts";
import type { ImagesOptions } from "./images-options.ts";
import { decodeIngestRecord } from "./ingest-record.ts";
import { Ingests } from "./ingests.ts";
import { readDigest } from "./json-document.ts";
import { LayerFlights } from "./layer-flights.ts";
import { LayerPool } from "./layer-pool.ts";
import { PinnedReferences } from "./pinned-references.ts";
import { hostPlatform } from "./platform.ts";
import { pullImage } from "./pull-image.ts";
import { ProgressFeed, type PullProgress } from "./pull-progress.ts";
import { formatReference, type ImageReference, parseReference } from "./reference.ts";
import { RegistryAccess } from "./registry-access.ts";
import { RegistryAuth } from "./registry-auth.ts";
import { credentialsKey, type RegistryCredentials } from "./registry-credentials.ts";
import { removeImage } from "./remove-image.ts";
import { SharedWork } from "./shared-work.ts";
import type { SnapshotForm } from "./snapshot-form.ts";
import { SnapshotKeeper } from "./snapshot-keeper.ts";
import { SnapshotStore } from "./snapshot-store.ts";

const noCaches = { limit: 0, pullSecrets: () => new Map() };
const noGc = { highPercent: 100, lowPercent: 100, minimumAgeMs: 0, maximumAgeMs: 0, intervalMs: 0, pinned: [] };

export interface PullRequest {
  readonly reference: string;
  /** Wins over whatever credentials the node has. */
  readonly auth?: RegistryCredentials;
  /** Whom the image is for. */
  readonly pod?: PullingPod;
}

/** Begins the names of all holders that want their layers mounted. */
const containers = "container";

/** The images of this node: pulled, found, kept while needed, removed. */
export class Images implements AsyncDisposable {
  readonly #options: ImagesOptions;
  readonly #pool = new ConnectionPool();
  readonly #access: RegistryAccess;
  readonly #content: ContentStore;
  readonly #snapshots: SnapshotStore;
  readonly #layers: LayerPool;
  readonly #flights: LayerFlights;
  readonly #catalogue: ImageCatalogue;
  readonly #keeper: SnapshotKeeper;
  readonly #ingests: Ingests;
  readonly #uses: ImageUses;
  readonly #pinned: PinnedReferences;
  /** Removes what nobody uses; started by {@link recover}. */
  readonly gc: ImageGc;
  /** Sets of images kept ready for pods; gone on with by {@link recover}. */
  readonly caches: ImageCaches;
  readonly #taker: PullTaker = {
    add: (record, together) => this.#add(record, together),
    tell: (event) => this.#progress.tell(event),
  };
  readonly #pulls = new SharedWork<ImageRecord>();
  readonly #progress = new ProgressFeed();

  constructor(options: ImagesOptions) {
    const { rootDirectory, database, snapshotter, parallelLayers, durable, layerLimits } = options;
    this.#options = options;
    const limits = options.limits ?? defaultLimits;
    const pool = this.#pool;
    this.#access = new RegistryAccess({
      client: {
        pool,
        limits,
        auth: new RegistryAuth({ pool, limits, nowMs: Date.now }),
        hosts: (registry) => loadRegistryHosts(options.registryConfigPath, registry),
      },
      sources: options.credentialSources ?? [],
      log: options.log,
    });
    this.#content = new ContentStore(join(rootDirectory, "content"));
    this.#layers = new LayerPool({
      workers: parallelLayers,
      ingestDirectory: join(rootDirectory, "ingest"),
      form: snapshotter,
      ...(layerLimits && { limits: layerLimits }),
    });
    this.#snapshots = new SnapshotStore({ rootDirectory, database, durable, fitter: this.#layers });
    this.#flights = new LayerFlights(this.#layers, this.#snapshots);
    this.#catalogue = new ImageCatalogue(new RecordTable(database, "images", decodeImageRecord), (body) =>
      database.transaction(body),
    );
    this.#keeper = new SnapshotKeeper(this.#snapshots, () => this.#catalogue.list().flatMap((image) => image.chainIds));
    this.#ingests = new Ingests({
      table: new RecordTable(database, "ingests", decodeIngestRecord),
      keeper: this.#keeper,
      collect: () => this.#collect(),
      newId,
      nowMs: Date.now,
    });
    this.#uses = new ImageUses({
      table: new RecordTable(database, "image_uses", decodeImageUse),
      transaction: (body) => database.transaction(body),
      monotonicMs: () => performance.now(),
      nowMs: Date.now,
    });
    const { pinned, ...settings } = options.gc ?? noGc;
    this.#pinned = new PinnedReferences(pinned);
    this.gc = new ImageGc({
      settings,
      directory: rootDirectory,
      facts: () => this.#gcFacts(),
      remove: (id) => this.remove(id),
      log: options.log,
    });
    this.caches = new ImageCaches({
      table: new RecordTable(database, "image_caches", decodeImageCache),
      quarantine: new Quarantine(join(rootDirectory, "quarantine")),
      transaction: (body) => database.transaction(body),
      store: cacheStore({
        bring: (reference, ...rest) => this.#bring({ reference, pod: noPod }, ...rest),
        tell: (event) => this.#progress.tell(event),
        add: (image) => void this.#add(image),
        catalogue: this.#catalogue,
        snapshots: this.#snapshots,
        keeper: this.#keeper,
        ingests: this.#ingests,
        collect: () => this.#collect(),
      }),
      ...(options.caches ?? noCaches),
      newId,
      nowMs: Date.now,
      log: options.log,
    });
  }

  /**
   * Pulls an image, or joins the same pull by the same user. When the signal aborts, the call ends at once; the pull itself
   * goes on only while somebody else waits for it, and is rolled back otherwise.
   * @throws AgentError InvalidArgument, NotFound, Unauthenticated, PermissionDenied, RegistryUnavailable, DataLoss,
   *   FailedPrecondition, ResourceExhausted, DeadlineExceeded, Cancelled
   */
  async pull(request: PullRequest, signal?: AbortSignal): Promise<ImageRecord> {
    const reference = parseReference(request.reference);
    const cached = this.#fromCache(reference);
    if (cached !== undefined) return cached;
    const wanted = { reference, pod: request.pod ?? noPod };
    const key = `${formatReference(reference)} ${credentialsKey(request.auth)} ${this.#access.audience(wanted)}`;
    return await this.#pulls.run(key, signal, (workSignal) =>
      this.#bring(wanted, request.auth, this.#taker, workSignal),
    );
  }

  /**
   * The image of a tag, digest, short name, id or unique id prefix.
   * @throws AgentError InvalidArgument for an empty reference or an ambiguous prefix
   */
  resolve(reference: string): ImageRecord | undefined {
    const image = this.#catalogue.resolve(reference);
    if (image === undefined) return undefined;
    this.#uses.asked(image.id);
    return this.#shown(image);
  }

  list(): readonly ImageRecord[] {
    return this.#catalogue.list().map((image) => this.#shown(image));
  }

  /**
   * Pins an image so that it is never collected, or ends that; a pin of the configuration stays.
   * @throws AgentError NotFound, InvalidArgument
   */
  setPinned(reference: string, pinned: boolean): ImageRecord {
    const { id } = this.#find(reference);
    this.#catalogue.setPinned(id, pinned);
    return this.#find(id);
  }

  /**
   * Keeps an image from being collected for a while, also by later agents.
   * @returns the image's id and when that ends, ISO 8601
   * @throws AgentError NotFound, InvalidArgument
   */
  lease(reference: string, durationMs: number): { readonly id: Digest; readonly until: string } {
    const { id } = this.#find(reference);
    return { id, until: this.#uses.lease(id, durationMs) };
  }

  /** Removes the image with all its names; its layers go when nothing needs them. Missing already counts as done. */
  remove(reference: string): Promise<void> {
    return removeImage(
      { catalogue: this.#catalogue, ingests: this.#ingests, collect: () => this.#collect() },
      reference,
    );
  }

  /** Keeps a container's layers, and those of images mounted into it, whatever becomes of them, until {@link release}. */
  hold(containerId: string, topChainIds: readonly string[]): void {
    const chainIds = topChainIds.map((chainId) => readDigest(chainId, "top chain id"));
    this.#keeper.hold(`${containers}/${containerId}`, chainIds);
    this.#noteUse(chainIds);
  }

  /** Ends a hold and removes the layers that nothing needs any more. */
  async release(containerId: string): Promise<void> {
    const holder = `${containers}/${containerId}`;
    this.#noteUse(this.#keeper.holders().get(holder) ?? []);
    this.#keeper.letGo(holder);
    await this.#collect();
  }

  /** The layer directories of a chain in overlay order: top first. Mounted, where they have to be, until {@link release}. */
  lowerDirectories(topChainId: string): readonly string[] {
    return this.#snapshots.lowerDirectories(readDigest(topChainId, "top chain id"));
  }

  /** How the top layer of a chain is kept; undefined when it is not here. */
  snapshotterOf(topChainId: string): SnapshotForm | undefined {
    return this.#snapshots.formOf(readDigest(topChainId, "top chain id"));
  }

  /**
   * Puts memory and disk back together after a start; nothing else may be called before it is done.
   * @param holds top chain ids of each container that exists
   * @param keepAll there are containers nobody can say the layers of: no layer may go in this agent's life
   */
  async recover(holds: ReadonlyMap<string, readonly string[]>, keepAll = false): Promise<void> {
    const { database, log } = this.#options;
    this.#catalogue.load((id, error) =>
      log.error({ imageId: id, error: errorText(error) }, "image record unreadable, left alone"),
    );
    this.#uses.load();
    await this.#snapshots.recover();
    for (const image of this.#catalogue.list()) {
      if (image.chainIds.every((chainId) => this.#snapshots.has(chainId))) continue;
      log.error({ imageId: image.id, tags: image.tags }, "image lost a layer, forgotten so that it can be pulled anew");
      this.#catalogue.remove(image.id);
    }
    for (const [containerId, topChainIds] of holds) this.hold(containerId, topChainIds);
    this.caches.load();
    const present = this.#snapshots.list().map(({ chainId }) => chainId);
    if (keepAll) this.#keeper.hold(`${containers}s whose records can't be read`, present);
    database.run("DELETE FROM ingests");
    await this.#collect();
    this.gc.start();
    this.caches.start();
  }

  /** What images take on disk. `mountpoint` is an existing path on their file system. */
  async fsInfo(): Promise<{ mountpoint: string; usedBytes: number; inodesUsed: number; timestampMs: number }> {
    const [layers, content] = [this.#snapshots.usage(), this.#content.usage()];
    return {
      mountpoint: this.#options.rootDirectory,
      usedBytes: layers.bytes + content.bytes,
      inodesUsed: layers.inodes + content.inodes,
      timestampMs: Date.now(),
    };
  }

  /** Calls the listener for every step of every pull until the result is disposed. */
  onPullProgress(listener: (event: PullProgress) => void): Disposable {
    return this.#progress.listen(listener);
  }

  /** Aborts and rolls back pulls under way, ends the worker threads and connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.gc[Symbol.asyncDispose]();
    await this.caches[Symbol.asyncDispose]();
    await this.#pulls.close();
    await this.#layers.close();
    await this.#pool[Symbol.asyncDispose]();
  }

  #find(reference: string): ImageRecord {
    const image = this.resolve(reference);
    if (image !== undefined) return image;
    throw new AgentError("NotFound", `Image ${JSON.stringify(reference.slice(0, 300))} is not on this node`);
  }

  /** The image as callers see it: pinned also by the configuration. */
  #shown(image: ImageRecord): ImageRecord {
    return image.pinned || this.#pinned.match(image) === undefined ? image : { ...image, pinned: true };
  }

  #add(record: ImageRecord, together?: () => void): ImageRecord {
    const added = this.#catalogue.add(record, together);
    this.#uses.used(added.id);
    return added;
  }

  #noteUse(chainIds: readonly Digest[]): void {
    for (const image of this.#catalogue.list()) {
      const top = image.chainIds.at(-1);
      if (top !== undefined && chainIds.includes(top)) this.#uses.used(image.id);
    }
  }

  #gcFacts(): ReturnType<typeof gcFacts> {
    const images = this.#catalogue.list();
    const facts = gcFacts({
      images,
      layers: this.#snapshots.list(),
      holders: this.#keeper.holders(),
      pulls: this.#ingests.running(),
      uses: this.#uses,
      pinOf: (image) => (image.pinned ? "an operator" : this.#pinned.match(image)),
      isKeptTry: (holder) => this.#ingests.isKept(holder),
    });
    const inUse = new Set(facts.images.filter(({ users }) => users.length > 0).map(({ id }) => id));
    try {
      this.#uses.watch(
        images.map(({ id }) => id),
        inUse,
      );
    } catch (error) {
      // A disk without room is what the collection is for; what is not written down now is so the next time.
      this.#options.log.warn({ error: errorText(error) }, "the use of images can't be recorded");
    }
    return facts;
  }

  /** What a Ready cache has by the digest that is asked for needs no registry: it can be nothing else. */
  #fromCache(reference: ImageReference): ImageRecord | undefined {
    if (reference.digest === undefined) return undefined;
    const name = formatReference(reference);
    const image = this.caches.serving(name)?.image;
    return image && this.#shown(this.#add({ ...image, tags: [], digests: [name] }));
  }

  async #bring(
    wanted: CredentialRequest,
    auth: RegistryCredentials | undefined,
    { add, tell }: PullTaker,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    try {
      return await pullImage(
        {
          content: this.#content,
          catalogue: { add },
          ingests: this.#ingests,
          flights: this.#flights,
          snapshots: this.#snapshots,
          host: hostPlatform(process.arch),
          tell,
          nowMs: Date.now,
        },
        wanted.reference,
        () => this.#access.open(wanted, auth, signal),
        signal,
      );
    } catch (error) {
      if (auth === undefined && hasCode(error, "Unauthenticated")) this.#access.forget(wanted);
      throw error;
    } finally {
      // Layers that others were fitted onto.
      this.#unmountUnneeded();
    }
  }

  #unmountUnneeded(): void {
    try {
      this.#snapshots.unmountUnneeded(this.#keeper.heldBy(containers));
    } catch (error) {
      this.#options.log.warn({ error: errorText(error) }, "layer can't be unmounted yet; it is tried again");
    }
  }

  async #collect(): Promise<void> {
    this.#unmountUnneeded();
    await this.#keeper.collect();
    if (this.caches.hasUnreadable) return;
    const images = this.#catalogue.list().flatMap((image) => image.contentDigests);
    this.#content.retain(new Set([...images, ...this.#ingests.contents(), ...this.caches.contentDigests()]));
  }
}

import { AgentError, errorText, primaryError } from "../../common/errors.ts";
import { failpoint } from "../../common/failpoint.ts";
import type { Digest } from "../../common/ids.ts";
import type { Log } from "../../common/log.ts";
import type { PullSecrets } from "../../manifests/pull-secret.ts";
import type { Quarantine } from "../../state/quarantine.ts";
import type { RegistryCredentials } from "../registry-credentials.ts";
import { buildImageCache } from "./build-image-cache.ts";
import { cacheCredentials, secretCredentials } from "./cache-credentials.ts";
import type { CacheStore } from "./cache-store.ts";
import { type CachedImage, type ImageCacheRecord, isUnderWay, keptImages } from "./image-cache-record.ts";
import {
  type CacheRequest,
  cachedBy,
  failed,
  fullReference,
  matched,
  newImageCache,
  planCreation,
  planExpiry,
  planManifests,
  sameSpec,
  toUpdate,
  withoutLost,
} from "./plan-image-cache.ts";

export interface ImageCachesDependencies {
  readonly table: {
    put(id: string, record: ImageCacheRecord): void;
    delete(id: string): void;
    list(onBad: (id: string, error: unknown, body: string) => void): readonly ImageCacheRecord[];
  };
  /** Where records that can't be read are kept for people to look at. */
  readonly quarantine: Pick<Quarantine, "keep">;
  /** Makes the writes of the body commit together. */
  readonly transaction: (body: () => void) => void;
  readonly store: CacheStore;
  /** The secrets of the node's manifests as they are now. */
  readonly pullSecrets: () => PullSecrets;
  /** How many caches there may be. */
  readonly limit: number;
  /** 64 hex digits. */
  readonly newId: () => string;
  readonly nowMs: () => number;
  readonly log: Log;
}

/** A cache as callers see it. */
export interface ImageCacheView extends ImageCacheRecord {
  /** 0 to 100. */
  readonly progressPercent: number;
}

/** How often it is looked for caches whose time is over. */
const sweepMs = 60_000;

/** The sets of images that this node keeps ready: made one after the other, kept, given to pods, removed. */
export class ImageCaches implements AsyncDisposable {
  readonly #deps: ImageCachesDependencies;
  readonly #records = new Map<string, ImageCacheRecord>();
  /** Only in memory: an agent that restarts in the middle of a build goes on without them. */
  readonly #credentials = new Map<string, readonly RegistryCredentials[]>();
  readonly #shares = new Map<string, number>();
  /** Ids of rows that don't decode: they serve nobody, but what they keep is not anybody's to remove. */
  readonly #unreadable = new Set<string>();
  readonly #listeners = new Set<(cache: ImageCacheView | { readonly id: string; readonly gone: true }) => void>();
  readonly #builds = new Map<string, AbortController>();
  #turn: Promise<void> = Promise.resolve();
  #sweeper: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: ImageCachesDependencies) {
    this.#deps = deps;
  }

  /** Fills the memory from the records and holds what they keep, before anything is collected. */
  load(): void {
    const { table, store, quarantine, log, nowMs } = this.#deps;
    const layers = store.layers();
    const onBad = (id: string, error: unknown, body: string) => {
      const kept = quarantine.keep("image-cache", id, body);
      this.#unreadable.add(id);
      // Nobody can say which layers are its own.
      store.hold(holderOf(id), [...layers.keys()]);
      log.error(
        { imageCacheId: id, error: errorText(error), kept },
        "image cache's record can't be read; the layers that are here stay: docs/recovery.md",
      );
    };
    for (const record of table.list(onBad)) {
      const whole = withoutLost(record, (chainId) => layers.has(chainId), nowMs());
      if (whole !== record) this.#put(whole);
      else this.#remember(record);
    }
  }

  /** Whether there are caches that nobody can say the layers and documents of. */
  get hasUnreadable(): boolean {
    return this.#unreadable.size > 0;
  }

  /** Goes on with what was under way. */
  start(): void {
    for (const record of this.#records.values()) if (isUnderWay(record)) this.#enqueue(record.id);
    void this.sweep();
    this.#sweeper = setInterval(() => void this.sweep(), sweepMs).unref();
  }

  /**
   * Has a cache made. The same request again gets the same cache.
   * @param credentials for its images' registries; neither stored nor logged
   * @throws AgentError InvalidArgument, AlreadyExists, ResourceExhausted
   */
  create(request: CacheRequest, credentials: readonly RegistryCredentials[] = []): ImageCacheView {
    const { newId, nowMs, limit } = this.#deps;
    for (const reference of request.spec.images) fullReference(reference);
    const plan = planCreation(request, [...this.#records.values()], limit);
    if (plan.kind === "existing") return this.#view(plan.record);
    for (const { id } of plan.eliminate) void this.#remove(id, "eliminated for another one");
    const id = `imc-${newId().slice(0, 20)}`;
    this.#credentials.set(id, credentials);
    this.#put(newImageCache(id, request, nowMs()));
    failpoint("cache.recorded");
    this.#enqueue(id);
    return this.get(id);
  }

  /** By id or name. @throws AgentError NotFound, or DataLoss when its record can't be read */
  get(idOrName: string): ImageCacheView {
    return this.#view(this.#require(idOrName));
  }

  /** Oldest first. */
  list(): readonly ImageCacheView[] {
    const records = [...this.#records.values()].map((record) => this.#view(record));
    return records.toSorted((a, b) => (a.startTime < b.startTime ? -1 : 1));
  }

  /** Deletes a cache, also one under way; what containers are made of stays with them. Missing counts as done. */
  async delete(idOrName: string): Promise<void> {
    const record = this.#find(idOrName);
    if (record !== undefined) await this.#remove(record.id, "deleted");
    else if (this.#unreadable.has(idOrName)) await this.#giveUp(idOrName);
  }

  /** Makes the caches of manifests those that the manifests in force ask for. Never throws. */
  followManifests(wanted: readonly CacheRequest[]): void {
    const { log, nowMs } = this.#deps;
    const plan = planManifests(wanted, this.list());
    for (const { id } of plan.remove) void this.#remove(id, "its manifest is gone");
    for (const { record: found, spec } of plan.update) {
      const record = this.#records.get(found.id);
      if (record === undefined) continue;
      if (sameSpec(record.spec, spec)) this.#put({ ...record, origin: "manifest" });
      else this.#rebuild({ ...toUpdate(record, spec, nowMs()), origin: "manifest" });
    }
    for (const request of plan.create) {
      try {
        this.create(request);
      } catch (error) {
        log.error({ imageCache: request.name, error: errorText(error) }, "image cache of a manifest can't be made");
      }
    }
  }

  /** Changes what a cache is to hold; what it serves stays kept until that is there. */
  update(id: string, spec: ImageCacheRecord["spec"]): void {
    const record = this.#records.get(id);
    if (record !== undefined) this.#rebuild(toUpdate(record, spec, this.#deps.nowMs()));
  }

  /** Tells that a pod was given the cache, and makes the images ones of the node again. */
  give(id: string, images: readonly CachedImage[]): void {
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#put(matched(record, this.#deps.nowMs()));
    for (const { image } of images) this.#deps.store.offer(image);
  }

  /** The image that a Ready cache serves by a full reference. */
  serving(reference: string): CachedImage | undefined {
    for (const record of this.ready()) {
      const cached = cachedBy(record, reference);
      if (cached !== undefined) return cached;
    }
    return undefined;
  }

  /** The caches that can be given to pods. */
  ready(): readonly ImageCacheRecord[] {
    return [...this.#records.values()].filter(({ phase }) => phase === "Ready");
  }

  /** The documents that caches keep. */
  contentDigests(): readonly Digest[] {
    return [...this.#records.values()].flatMap(keptImages).flatMap(({ contentDigests }) => contentDigests);
  }

  /** Removes the caches whose time is over. */
  async sweep(): Promise<void> {
    for (const { id } of planExpiry(this.list(), this.#deps.nowMs())) await this.#remove(id, "its time is over");
  }

  /** Tells every change of a cache, and its end, until the result is disposed. */
  onChange(listener: (cache: ImageCacheView | { readonly id: string; readonly gone: true }) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Stops what is under way, to be gone on with by the next agent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#sweeper);
    for (const build of this.#builds.values()) build.abort(new AgentError("Unavailable", "The agent is shutting down"));
    await this.#turn;
  }

  #enqueue(id: string): void {
    this.#turn = this.#turn.then(() => this.#build(id));
  }

  /** Never rejects. */
  async #build(id: string): Promise<void> {
    const { store, pullSecrets, log, nowMs } = this.#deps;
    const record = this.#records.get(id);
    if (this.#closed || record === undefined || !isUnderWay(record)) return;
    const stop = new AbortController();
    this.#builds.set(id, stop);
    try {
      const secrets = secretCredentials(record.spec.imagePullSecrets, pullSecrets());
      const credentials = [...(this.#credentials.get(id) ?? []), ...secrets];
      await buildImageCache(
        {
          record: () => this.#require(id),
          others: () => [...this.#records.values()],
          put: (next, together) => this.#put(next, together),
          onNode: (reference) => store.onNode(reference),
          layers: () => store.layers(),
          pull: (reference, keep, tell) =>
            store.pull({ reference, auth: cacheCredentials(credentials, reference) }, keep, tell, stop.signal),
          progress: (share) => this.#tellShare(id, share),
          nowMs,
        },
        stop.signal,
      );
      log.info({ imageCacheId: id, imageCache: record.name }, "image cache is ready");
    } catch (error) {
      // Deleted, to be updated, or left to the next agent: whoever aborted has seen to the record.
      if (!stop.signal.aborted) await this.#fail(id, error);
    } finally {
      this.#builds.delete(id);
      this.#shares.delete(id);
    }
  }

  async #fail(id: string, error: unknown): Promise<void> {
    const { store, log, nowMs } = this.#deps;
    const record = this.#records.get(id);
    if (record === undefined) return;
    const why = errorText(primaryError(error));
    log.error({ imageCacheId: id, imageCache: record.name, error: why }, "image cache can't be made");
    try {
      this.#put(failed(record, why.slice(0, 2000), nowMs()));
      failpoint("cache.failed");
      store.abandon(record.spec.images.map(fullReference));
      await store.collect();
    } catch (cause) {
      log.error({ imageCacheId: id, error: errorText(cause) }, "what a failed image cache left is removed later");
    }
  }

  #rebuild(record: ImageCacheRecord): void {
    this.#builds.get(record.id)?.abort(new AgentError("Cancelled", "The cache's spec has changed"));
    this.#put(record);
    failpoint("cache.update-recorded");
    this.#enqueue(record.id);
  }

  /** The record goes first: from then on nothing is kept for it. */
  async #remove(id: string, why: string): Promise<void> {
    const { table, store, log } = this.#deps;
    const record = this.#records.get(id);
    if (record === undefined) return;
    this.#builds.get(id)?.abort(new AgentError("Cancelled", "The cache has been deleted"));
    table.delete(id);
    this.#records.delete(id);
    this.#credentials.delete(id);
    store.letGo(holderOf(id));
    failpoint("cache.forgotten");
    for (const listener of this.#listeners) listener({ id, gone: true });
    log.info({ imageCacheId: id, imageCache: record.name, why }, "image cache removed");
    try {
      await store.collect();
    } catch (error) {
      log.error({ imageCacheId: id, error: errorText(error) }, "what an image cache kept is removed later");
    }
    failpoint("cache.removed");
  }

  /** Ends the keeping of all that is here for a cache whose record can't be read. */
  async #giveUp(id: string): Promise<void> {
    const { table, store, log } = this.#deps;
    table.delete(id);
    this.#unreadable.delete(id);
    store.letGo(holderOf(id));
    log.info({ imageCacheId: id }, "image cache whose record can't be read was given up");
    await store.collect();
  }

  #put(record: ImageCacheRecord, together: () => void = () => undefined): void {
    const { transaction, table } = this.#deps;
    this.#remember(record);
    transaction(() => {
      table.put(record.id, record);
      together();
    });
    if (!isUnderWay(record)) this.#credentials.delete(record.id);
    this.#tell(record);
  }

  #remember(record: ImageCacheRecord): void {
    this.#records.set(record.id, record);
    this.#deps.store.hold(
      holderOf(record.id),
      keptImages(record).flatMap(({ chainIds }) => chainIds),
    );
  }

  #tell(record: ImageCacheRecord): void {
    for (const listener of this.#listeners) listener(this.#view(record));
  }

  #tellShare(id: string, share: number): void {
    // Bytes of layers that are yet to be named make a share look larger than it is.
    const percent = Math.min(99, Math.floor(Math.max(share, this.#shares.get(id) ?? 0) * 100));
    const before = this.#records.get(id);
    const changed = before !== undefined && this.#view(before).progressPercent !== percent;
    this.#shares.set(id, percent / 100);
    if (changed) this.#tell(before);
  }

  #require(idOrName: string): ImageCacheRecord {
    const record = this.#find(idOrName);
    if (record !== undefined) return record;
    if (this.#unreadable.has(idOrName)) {
      throw new AgentError(
        "DataLoss",
        `Image cache "${idOrName}" has a record that can't be read: see docs/recovery.md`,
      );
    }
    throw new AgentError("NotFound", `No image cache has the id or name ${JSON.stringify(idOrName.slice(0, 253))}`);
  }

  #find(idOrName: string): ImageCacheRecord | undefined {
    return this.#records.get(idOrName) ?? [...this.#records.values()].find(({ name }) => name === idOrName);
  }

  #view(record: ImageCacheRecord): ImageCacheView {
    const percent = record.phase === "Ready" ? 100 : Math.round((this.#shares.get(record.id) ?? 0) * 100);
    return { ...record, progressPercent: percent };
  }
}

/** How a cache is called among those that hold layers; it is also what people are told. */
function holderOf(id: string): string {
  return `image cache ${id}`;
}

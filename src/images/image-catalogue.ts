import { AgentError } from "../common/errors.ts";
import type { Digest } from "../common/ids.ts";
import { resolveTruncatedId } from "../common/truncated-id.ts";
import type { ImageRecord } from "./image-record.ts";
import { formatReference, parseReference } from "./reference.ts";

/** The durable side of the catalogue. */
export interface ImageTable {
  put(id: string, record: ImageRecord): void;
  delete(id: string): void;
  list(onBad: (id: string, error: unknown) => void): readonly ImageRecord[];
}

/**
 * The images of this node, one record an image id, whatever names it has. Read from memory; written through to the records.
 * A name belongs to one image: when it moves to another, the former owner keeps its other names.
 */
export class ImageCatalogue {
  readonly #table: ImageTable;
  readonly #transaction: (body: () => void) => void;
  readonly #byId = new Map<Digest, ImageRecord>();
  readonly #byName = new Map<string, Digest>();

  /** @param transaction makes the writes of the body commit together */
  constructor(table: ImageTable, transaction: (body: () => void) => void) {
    this.#table = table;
    this.#transaction = transaction;
  }

  /** Fills the memory from the records. */
  load(onBad: (id: string, error: unknown) => void): void {
    this.#byId.clear();
    this.#byName.clear();
    for (const record of this.#table.list(onBad)) this.#remember(record);
  }

  /**
   * Adds an image, or the new names and digests to the one with this id.
   * @param together further writes of the same transaction
   */
  add(added: ImageRecord, together: () => void = () => undefined): ImageRecord {
    const changed = planAddition([...this.#byId.values()], added);
    this.#transaction(() => {
      for (const record of changed) this.#table.put(record.id, record);
      together();
    });
    for (const record of changed) this.#forgetNames(record.id);
    for (const record of changed) this.#remember(record);
    return this.#byId.get(added.id) ?? added;
  }

  /** Pins an image or ends that. @returns false when there is none */
  setPinned(id: Digest, pinned: boolean): boolean {
    const record = this.#byId.get(id);
    if (record === undefined) return false;
    const changed = { ...record, pinned };
    this.#table.put(id, changed);
    this.#byId.set(id, changed);
    return true;
  }

  /** Removes an image with all its names; false when there is none. */
  remove(id: Digest): boolean {
    if (!this.#byId.has(id)) return false;
    this.#table.delete(id);
    this.#forgetNames(id);
    return this.#byId.delete(id);
  }

  get(id: Digest): ImageRecord | undefined {
    return this.#byId.get(id);
  }

  list(): readonly ImageRecord[] {
    return [...this.#byId.values()];
  }

  /**
   * Finds an image by full or short name with tag or digest, by id, or by an unique prefix of its id, with or without "sha256:".
   * @returns undefined when there is none, also for what is no reference at all
   * @throws AgentError InvalidArgument for an empty reference or an ambiguous prefix
   */
  resolve(reference: string): ImageRecord | undefined {
    if (reference === "") throw new AgentError("InvalidArgument", "Missing image: a reference or an id is required");
    const id = this.#idByName(reference) ?? this.#idByPrefix(reference);
    return id === undefined ? undefined : this.#byId.get(id);
  }

  #idByName(reference: string): Digest | undefined {
    try {
      return this.#byName.get(formatReference(parseReference(reference)));
    } catch {
      return undefined;
    }
  }

  #idByPrefix(reference: string): Digest | undefined {
    const hex = reference.replace(/^sha256:/, "");
    if (!/^[0-9a-f]{1,64}$/.test(hex)) return undefined;
    return resolveTruncatedId("image", `sha256:${hex}`, this.#byId.keys());
  }

  #remember(record: ImageRecord): void {
    this.#byId.set(record.id, record);
    for (const name of [...record.tags, ...record.digests]) this.#byName.set(name, record.id);
  }

  #forgetNames(id: Digest): void {
    const record = this.#byId.get(id);
    for (const name of record === undefined ? [] : [...record.tags, ...record.digests]) {
      if (this.#byName.get(name) === id) this.#byName.delete(name);
    }
  }
}

/** The records to write when an image comes: former owners of its names first, the image last. */
export function planAddition(present: readonly ImageRecord[], added: ImageRecord): readonly ImageRecord[] {
  const names = new Set([...added.tags, ...added.digests]);
  const isFree = (name: string) => !names.has(name);
  const losers = present
    .filter((record) => record.id !== added.id && [...record.tags, ...record.digests].some((name) => names.has(name)))
    .map((record) => ({ ...record, tags: record.tags.filter(isFree), digests: record.digests.filter(isFree) }));
  const before = present.find((record) => record.id === added.id);
  if (before === undefined) return [...losers, added];
  const union = <Item>(one: readonly Item[], other: readonly Item[]) => [...new Set([...one, ...other])];
  const merged: ImageRecord = {
    ...before,
    tags: union(before.tags, added.tags),
    digests: union(before.digests, added.digests),
    annotations: added.annotations,
    pinned: before.pinned || added.pinned,
    contentDigests: union(before.contentDigests, added.contentDigests),
  };
  return [...losers, merged];
}

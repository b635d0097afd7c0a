import { hasCode } from "../common/errors.ts";
import type { Digest } from "../common/ids.ts";
import type { IngestRecord } from "./ingest-record.ts";

const keptForMs = 3_600_000;

/** What the pulls under way, and those waiting for another try, write down and hold. */
export interface IngestDependencies {
  readonly table: {
    put(id: string, record: IngestRecord): void;
    delete(id: string): void;
  };
  /** Keeps snapshots while a holder needs them. */
  readonly keeper: { hold(holder: string, chainIds: readonly Digest[]): void; letGo(holder: string): void };
  /** Removes snapshots and content that nobody needs. */
  readonly collect: () => Promise<void>;
  readonly newId: () => string;
  readonly nowMs: () => number;
}

/** Names the intents of pulls and decides what a failed one leaves. */
export class Ingests {
  readonly #dependencies: IngestDependencies;
  readonly #records = new Map<string, IngestRecord>();
  readonly #contents = new Map<string, readonly Digest[]>();

  constructor(dependencies: IngestDependencies) {
    this.#dependencies = dependencies;
  }

  /** Writes the intent down. @returns its id */
  begin(reference: string): string {
    const { newId, nowMs } = this.#dependencies;
    const id = newId();
    this.#write({ id, reference, state: "pulling", startedAt: new Date(nowMs()).toISOString() });
    return id;
  }

  /** Keeps what the pull needs from being collected, from before it looks whether it is there. */
  hold(id: string, chainIds: readonly Digest[], contents: readonly Digest[]): void {
    this.#dependencies.keeper.hold(id, chainIds);
    this.#contents.set(id, contents);
  }

  /** Ends the record, within the transaction that makes the image visible. */
  end(id: string): void {
    this.#dependencies.table.delete(id);
  }

  /** Lets go of what the image holds by itself now, and of earlier failed tries. */
  forget(id: string): void {
    const reference = this.#records.get(id)?.reference;
    this.#drop(id);
    for (const record of this.#kept((other) => other.reference === reference)) this.#drop(record.id);
  }

  /**
   * Ends a pull that failed: its layers stay when another try may succeed, else they go.
   * @param hasLayers whether it has brought any
   */
  async fail(id: string, failure: unknown, hasLayers: boolean): Promise<void> {
    const record = this.#records.get(id);
    const mayPass = hasCode(failure, "RegistryUnavailable") || hasCode(failure, "Unauthenticated");
    if (record !== undefined && mayPass && hasLayers) {
      this.#write({ ...record, state: "kept" });
      // The documents are small and fetched again anyway, to see whether the tag has moved.
      this.#contents.delete(id);
    } else {
      this.#drop(id);
    }
    this.expire();
    await this.#dependencies.collect();
  }

  /** Forgets the failed tries of these references; of all, without any. */
  abandon(references?: readonly string[]): void {
    const matches = (record: IngestRecord) => references === undefined || references.includes(record.reference);
    for (const { id } of this.#kept(matches)) this.#drop(id);
  }

  /** Forgets failed tries that nobody has come back to within an hour. */
  expire(): void {
    const oldest = this.#dependencies.nowMs() - keptForMs;
    for (const { id } of this.#kept((record) => Date.parse(record.startedAt) < oldest)) this.#drop(id);
  }

  /** The content that pulls need now. */
  contents(): readonly Digest[] {
    return [...this.#contents.values()].flat();
  }

  /** The references of the pulls under way, by their ids. */
  running(): ReadonlyMap<string, string> {
    const pulling = [...this.#records.values()].filter(({ state }) => state === "pulling");
    return new Map(pulling.map(({ id, reference }) => [id, reference]));
  }

  /** Whether the id is that of a failed pull whose layers wait for another try. */
  isKept(id: string): boolean {
    return this.#records.get(id)?.state === "kept";
  }

  #kept(matches: (record: IngestRecord) => boolean): readonly IngestRecord[] {
    return [...this.#records.values()].filter((record) => record.state === "kept" && matches(record));
  }

  #write(record: IngestRecord): void {
    this.#dependencies.table.put(record.id, record);
    this.#records.set(record.id, record);
  }

  #drop(id: string): void {
    this.#dependencies.keeper.letGo(id);
    this.#contents.delete(id);
    this.#records.delete(id);
    this.#dependencies.table.delete(id);
  }
}

import { AgentError } from "../common/errors.ts";
import type { Log } from "../common/log.ts";
import { resolveTruncatedId } from "../common/truncated-id.ts";
import type { Quarantine } from "../state/quarantine.ts";
import type { RecordTable } from "../state/record-table.ts";
import type { RecordMirror } from "./record-mirror.ts";

/** Told of one change that is durable already; undefined: there was, or is, no record. It must not throw. */
export type RecordListener<Stored> = (before: Stored | undefined, after: Stored | undefined) => void;

/** What a store does about rows that can't be read. */
export interface RecordKeeping<Stored extends { readonly id: string }> {
  readonly mirror: RecordMirror<Stored>;
  readonly quarantine: Quarantine;
  readonly log: Log;
}

/**
 * Records of one kind: durable in their table, mirrored in memory so that lists and look-ups never touch a disk or a
 * shim. A put returns after the record is durable.
 */
export class RecordStore<Id extends string, Stored extends { readonly id: Id }> {
  readonly #kind: string;
  readonly #table: RecordTable<Stored>;
  readonly #records = new Map<Id, Stored>();
  /** Ids of rows that don't decode: they aren't served, but what they own is not an orphan. */
  readonly #unreadable = new Set<string>();
  readonly #mirror: RecordMirror<Stored>;
  #onChange: RecordListener<Stored> = () => undefined;

  /**
   * Reads all rows. One that doesn't decode is put aside for people to look at, and rebuilt from its copy.
   * @param kind what an error calls it, such as "container"
   */
  constructor(kind: string, table: RecordTable<Stored>, keeping: RecordKeeping<Stored>) {
    const { mirror, quarantine, log } = keeping;
    this.#kind = kind;
    this.#table = table;
    this.#mirror = mirror;
    const rebuilt: Stored[] = [];
    const onBad = (id: string, error: unknown, body: string) => {
      const kept = quarantine.keep(kind.replaceAll(" ", "-"), id, body);
      const copy = mirror.read(id);
      if (copy === undefined) {
        this.#unreadable.add(id);
        log.error(
          { kind, id, error, kept },
          "record can't be read nor rebuilt; what it owns is left alone: docs/recovery.md",
        );
      } else {
        rebuilt.push(copy);
        log.error({ kind, id, error, kept }, "record can't be read; rebuilt from the copy in its bundle");
      }
    };
    for (const record of table.list(onBad)) this.#records.set(record.id, record);
    for (const record of rebuilt) {
      table.put(record.id, record);
      this.#records.set(record.id, record);
    }
  }

  /** Ids of rows that could be neither read nor rebuilt. */
  get unreadable(): ReadonlySet<string> {
    return this.#unreadable;
  }

  /** Whether the id has a row, readable or not. */
  knows(id: string): boolean {
    return this.#records.has(id as Id) || this.#unreadable.has(id);
  }

  /** The record with this id or unique id prefix, or undefined. @throws AgentError InvalidArgument when ambiguous */
  find(idOrPrefix: string): Stored | undefined {
    const id = resolveTruncatedId(this.#kind, idOrPrefix, this.#records.keys());
    return id === undefined ? undefined : this.#records.get(id);
  }

  /** @throws AgentError NotFound, or InvalidArgument when the prefix is ambiguous */
  get(idOrPrefix: string): Stored {
    const record = this.find(idOrPrefix);
    if (record !== undefined) return record;
    throw new AgentError("NotFound", `No ${this.#kind} has the id ${JSON.stringify(idOrPrefix.slice(0, 100))}`);
  }

  /** All records, oldest first. */
  list(): readonly Stored[] {
    return [...this.#records.values()];
  }

  /** Sets the one listener that hears of every change before the `put` or `delete` that made it returns. */
  onChange(listener: RecordListener<Stored>): void {
    this.#onChange = listener;
  }

  put(record: Stored): Stored {
    const before = this.#records.get(record.id);
    this.#table.put(record.id, record);
    this.#records.set(record.id, record);
    this.#mirror.write(record);
    this.#onChange(before, record);
    return record;
  }

  delete(id: Id): void {
    const before = this.#records.get(id);
    this.#table.delete(id);
    this.#records.delete(id);
    this.#onChange(before, undefined);
  }
}

import type { Database } from "../state/database.ts";
import { RecordTable } from "../state/record-table.ts";
import { decodeEniRecord, type EniRecord } from "./eni-record.ts";

/** ENI records: durable in the database, and in memory for the questions every request asks. */
export class EniStore {
  readonly #database: Database;
  readonly #table: RecordTable<EniRecord>;
  readonly #byId = new Map<string, EniRecord>();

  /** Ids of rows that could be neither read nor rebuilt; they stay as they are, and their addresses taken. */
  readonly unreadable: readonly string[];

  /** @param rebuild hears of rows that can't be read, and tells what they said if it knows */
  constructor(database: Database, rebuild: (id: string, error: unknown) => EniRecord | undefined) {
    this.#database = database;
    this.#table = new RecordTable(database, "enis", decodeEniRecord);
    const unreadable: string[] = [];
    const rebuilt: EniRecord[] = [];
    const onBad = (id: string, error: unknown) => {
      const record = rebuild(id, error);
      if (record === undefined) unreadable.push(id);
      else rebuilt.push(record);
    };
    for (const record of this.#table.list(onBad)) this.#byId.set(record.id, record);
    for (const record of rebuilt) {
      this.#table.put(record.id, record);
      this.#byId.set(record.id, record);
    }
    this.unreadable = unreadable;
  }

  /** Every record. */
  list(): readonly EniRecord[] {
    return [...this.#byId.values()];
  }

  /** The ENI that holds a sandbox's addresses, if any. */
  heldBy(sandboxId: string): EniRecord | undefined {
    return this.list().find((record) => record.sandboxId === sandboxId && record.state !== "releasing");
  }

  /** Those of a sandbox whose links may still exist. */
  releasingOf(sandboxId: string): readonly EniRecord[] {
    return this.list().filter((record) => record.sandboxId === sandboxId && record.state === "releasing");
  }

  /** Writes the row as part of the caller's transaction, who calls {@link remember} once that has committed. */
  write(record: EniRecord): void {
    this.#table.put(record.id, record);
  }

  /** Replaces what the running agent knows, and the next one won't unless it was written. */
  remember(record: EniRecord): void {
    this.#byId.set(record.id, record);
  }

  /** Removes records, all in one transaction. */
  delete(ids: readonly string[]): void {
    if (ids.length === 0) return;
    this.#database.transaction(() => {
      for (const id of ids) this.#table.delete(id);
    });
    for (const id of ids) this.#byId.delete(id);
  }
}

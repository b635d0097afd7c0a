import type { Database } from "../../state/database.ts";
import { RecordTable } from "../../state/record-table.ts";
import { type AttachmentRecord, decodeAttachmentRecord } from "./attachment-record.ts";

/** Attachment records by sandbox: durable in the database, and in memory for the questions every request asks. */
export class AttachmentStore {
  readonly #table: RecordTable<AttachmentRecord>;
  readonly #records = new Map<string, AttachmentRecord>();
  readonly #unreadable = new Set<string>();

  /** @param onUnreadable hears of rows that can't be read; they stay as they are */
  constructor(database: Database, onUnreadable: (sandboxId: string, error: unknown) => void) {
    this.#table = new RecordTable(database, "attachments", decodeAttachmentRecord);
    const readable = this.#table.list((id, error) => {
      this.#unreadable.add(id);
      onUnreadable(id, error);
    });
    for (const record of readable) this.#records.set(record.sandboxId, record);
  }

  list(): readonly AttachmentRecord[] {
    return [...this.#records.values()];
  }

  find(sandboxId: string): AttachmentRecord | undefined {
    return this.#records.get(sandboxId);
  }

  /** Sandboxes whose rows can't be read. */
  get unreadable(): ReadonlySet<string> {
    return this.#unreadable;
  }

  /** Durable when the call returns. */
  put(record: AttachmentRecord): void {
    this.#table.put(record.sandboxId, record);
    this.#records.set(record.sandboxId, record);
    this.#unreadable.delete(record.sandboxId);
  }

  delete(sandboxId: string): void {
    this.#table.delete(sandboxId);
    this.#records.delete(sandboxId);
    this.#unreadable.delete(sandboxId);
  }
}

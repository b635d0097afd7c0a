import type { Database } from "./database.ts";

/** The tables of the schema that hold one JSON record a row. */
export type RecordTableName =
  | "sandboxes"
  | "containers"
  | "images"
  | "image_uses"
  | "image_caches"
  | "snapshots"
  | "ingests"
  | "vpcs"
  | "enis"
  | "attachments";

/** One table of JSON records, keyed by id. `decode` checks what the disk gave before anybody trusts it. */
export class RecordTable<Body> {
  readonly #database: Database;
  readonly #name: RecordTableName;
  readonly #decode: (value: unknown) => Body;

  constructor(database: Database, name: RecordTableName, decode: (value: unknown) => Body) {
    this.#database = database;
    this.#name = name;
    this.#decode = decode;
  }

  get(id: string): Body | undefined {
    const row = this.#database.get(`SELECT body FROM ${this.#name} WHERE id = ?`, id);
    return row === undefined ? undefined : this.#decode(JSON.parse(String(row["body"])));
  }

  /** Adds or replaces the record; durable when the call returns (or when the surrounding transaction commits). */
  put(id: string, body: Body): void {
    this.#database.run(
      `INSERT INTO ${this.#name} (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body`,
      id,
      JSON.stringify(body),
    );
  }

  delete(id: string): void {
    this.#database.run(`DELETE FROM ${this.#name} WHERE id = ?`, id);
  }

  /** Every record that decodes; the others are given to `onBad` and stay on disk, for one bad row must not hide the rest. */
  list(onBad: (id: string, error: unknown, body: string) => void): readonly Body[] {
    const good: Body[] = [];
    for (const row of this.#database.all(`SELECT id, body FROM ${this.#name} ORDER BY id`)) {
      try {
        good.push(this.#decode(JSON.parse(String(row["body"]))));
      } catch (error) {
        onBad(String(row["id"]), error, String(row["body"]));
      }
    }
    return good;
  }
}

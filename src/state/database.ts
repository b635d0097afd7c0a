import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { AgentError } from "../common/errors.ts";
import { layBallast, recordsFault, releaseBallast, reserveRoom } from "./full-disk.ts";
import { migrations } from "./migrations.ts";

/** A row as SQLite gives it. */
export type Row = Readonly<Record<string, null | number | bigint | string | Uint8Array>>;

/**
 * The agent's durable memory: one SQLite file in WAL mode with synchronous=FULL, so that what a finished call recorded
 * survives both SIGKILL and power loss. Calls are synchronous and short; a commit costs one fsync.
 */
export class Database implements Disposable {
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #depth = 0;

  private constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite;
  }

  /**
   * Opens the file (made with mode 0600 if missing) and brings its schema up to date.
   * @throws AgentError FailedPrecondition when a newer Podling wrote the file, DataLoss when it is no sound database
   */
  static open(path: string): Database {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    try {
      return Database.#openOrThrow(path);
    } catch (error) {
      if (error instanceof AgentError && error.code !== "ResourceExhausted") throw error;
      try {
        // Whatever it is: a disk that is full shows itself by several errors.
        if (releaseBallast(path)) return Database.#openOrThrow(path);
      } catch (second) {
        if (second instanceof AgentError) throw second;
      }
      throw new AgentError("DataLoss", `Cannot open the records in "${path}"`, { cause: error });
    }
  }

  static #openOrThrow(path: string): Database {
    using undo = new DisposableStack();
    const sqlite = undo.adopt(new DatabaseSync(path), (opened) => opened.close());
    chmodSync(path, 0o600);
    sqlite.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;");
    const database = new Database(sqlite);
    database.#migrate(path);
    if (reserveRoom(sqlite)) layBallast(path);
    else if (releaseBallast(path)) reserveRoom(sqlite);
    undo.move();
    return database;
  }

  /** Runs a statement that returns nothing. @returns how many rows it changed */
  run(sql: string, ...values: SQLInputValue[]): number {
    try {
      return Number(this.#prepare(sql).run(...values).changes);
    } catch (error) {
      throw recordsFault(error);
    }
  }

  /** The first row of a query, or undefined. */
  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined;
  }

  /** All rows of a query. */
  all(sql: string, ...values: SQLInputValue[]): readonly Row[] {
    return this.#prepare(sql).all(...values) as Row[];
  }

  /** Runs the body so that all of its writes commit together or none does. Nested calls join the outer one. */
  transaction<Result>(body: () => Result): Result {
    if (this.#depth > 0) return body();
    this.#sqlite.exec("BEGIN IMMEDIATE");
    this.#depth++;
    try {
      const result = body();
      this.#sqlite.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#sqlite.isTransaction) this.#sqlite.exec("ROLLBACK");
      throw recordsFault(error);
    } finally {
      this.#depth--;
    }
  }

  [Symbol.dispose](): void {
    if (this.#sqlite.isOpen) this.#sqlite.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #migrate(path: string): void {
    const version = Number(this.get("PRAGMA user_version")?.["user_version"] ?? 0);
    if (version > migrations.length) {
      throw new AgentError(
        "FailedPrecondition",
        `The records in "${path}" have schema version ${version}: this Podling knows ${migrations.length} at most`,
      );
    }
    for (const [index, step] of migrations.entries()) {
      if (index < version) continue;
      this.transaction(() => {
        this.#sqlite.exec(step);
        this.#sqlite.exec(`PRAGMA user_version = ${index + 1}`);
      });
    }
  }
}

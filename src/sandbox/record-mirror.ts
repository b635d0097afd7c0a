import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";

const fileName = "record.json";

/**
 * A copy of each record in the bundle of what it describes, on the state directory's tmpfs: it lives as long as the pod
 * can, and a row that can't be read any more is rebuilt from it. Never the truth while the row can be read.
 */
export class RecordMirror<Stored extends { readonly id: string }> {
  readonly #directory: string;
  readonly #decode: (value: unknown) => Stored;
  readonly #log: Log;

  /** @param directory holds a bundle for each id */
  constructor(directory: string, decode: (value: unknown) => Stored, log: Log) {
    this.#directory = directory;
    this.#decode = decode;
    this.#log = log;
  }

  /** Writes the copy once there is a bundle. Never throws: the row is durable already. */
  write(record: Stored): void {
    const path = join(this.#directory, record.id, fileName);
    try {
      // Through a second name, so that a kill leaves the old copy or the new one.
      writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") this.#log.warn({ id: record.id, error }, "record's copy can't be written");
    }
  }

  /** @returns undefined when there is no copy, or none that is sound and of this id */
  read(id: string): Stored | undefined {
    if (!/^[0-9a-f]{64}$/.test(id)) return undefined;
    try {
      const record = this.#decode(JSON.parse(readFileSync(join(this.#directory, id, fileName), "utf8")));
      return record.id === id ? record : undefined;
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") this.#log.warn({ id, error }, "record's copy can't be read");
      return undefined;
    }
  }
}

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Keeps rows that can't be read for people to look at, one file each; they may hold secrets, so only root can. */
export class Quarantine {
  readonly #directory: string;

  /** @param directory made when the first row comes */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @returns the file it is kept in; the same row again replaces it */
  keep(table: string, id: string, body: string): string {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    // An id of a damaged file may be anything.
    const path = join(this.#directory, `${table}-${id.replaceAll(/[^\w-]/g, "_").slice(0, 100)}.txt`);
    writeFileSync(path, body, { mode: 0o600 });
    return path;
  }
}

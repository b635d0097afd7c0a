import { closeSync, existsSync, fsyncSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { AgentError } from "../common/errors.ts";

/**
 * Room to write records on a disk that is full, for what would make room is recorded as well. While a database is open, its
 * log and its file are larger than they have to be, and SQLite writes into what they have already. When it is opened on a full
 * disk, a file beside it that serves no other end is given up first.
 */

const reservedBytes = 1536 * 1024;
const ballastBytes = 4 * 1024 * 1024;
/** Pages in the log at which SQLite moves them into the file and begins the log anew: together they stay below the reserve. */
const checkpointPages = 256;
/** SQLITE_FULL, the low byte of what node:sqlite tells (sqlite.org/rescode.html). */
const full = 13;

/** Makes the open database's files large enough. @returns false without room for that: they stay as they are */
export function reserveRoom(sqlite: DatabaseSync): boolean {
  sqlite.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
  try {
    // Two transactions: what one brings and takes away again is never written.
    sqlite.exec(`INSERT OR REPLACE INTO meta (key, value) VALUES ('reserve', hex(zeroblob(${reservedBytes / 2})))`);
    sqlite.exec("DELETE FROM meta WHERE key = 'reserve'");
    return true;
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    return false;
  }
}

/** Lays by the file that {@link releaseBallast} gives up, where there is room. @param path of the database */
export function layBallast(path: string): void {
  const ballast = ballastOf(path);
  if (statSync(ballast, { throwIfNoEntry: false })?.size === ballastBytes) return;
  // An agent may have been killed while it wrote.
  rmSync(ballast, { force: true });
  let written = false;
  const fd = openSync(ballast, "wx", 0o600);
  try {
    // Zeros that are written take their room; a file that is only made long would not.
    for (let bytes = 0; bytes < ballastBytes; ) bytes += writeSync(fd, Buffer.alloc(ballastBytes - bytes));
    fsyncSync(fd);
    written = true;
  } catch {
    // No room: none is to be taken from those who need it.
  } finally {
    closeSync(fd);
    if (!written) rmSync(ballast, { force: true });
  }
}

/** @returns whether there was something to give up */
export function releaseBallast(path: string): boolean {
  const ballast = ballastOf(path);
  if (!existsSync(ballast)) return false;
  rmSync(ballast, { force: true });
  return true;
}

/** What a failed statement means to a caller: a full disk has a name of its own. */
export function recordsFault(error: unknown): unknown {
  if (!isDiskFull(error)) return error;
  const message = "The records can't be written: their file system is full";
  return new AgentError("ResourceExhausted", message, { cause: error });
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === full;
}

function ballastOf(path: string): string {
  return `${path}-ballast`;
}

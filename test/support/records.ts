import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { InstancePlace } from "./instance-objects.ts";

/** Tables whose rows must go with the pods; images and snapshots have an owner of their own. */
const recordTables = [
  "sandboxes",
  "containers",
  "ingests",
  "enis",
  "attachments",
  "image_caches",
  "images",
  "snapshots",
] as const;

/** Ids of the agent's records by table, and the addresses that are in use, read beside the running agent. */
export function readRecords(place: InstancePlace): Readonly<Record<string, readonly string[]>> {
  const path = join(place.root, "records.db");
  if (!existsSync(path)) return {};
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    const ids = (sql: string) =>
      database
        .prepare(sql)
        .all()
        .map((row) => String(row["id"]));
    return {
      ...Object.fromEntries(
        recordTables.map((table) => [`record in ${table}`, ids(`SELECT id FROM ${table} ORDER BY id`)]),
      ),
      "used address": ids("SELECT vswitch || ' ' || address AS id FROM addresses WHERE state = 'used' ORDER BY id"),
    };
  } finally {
    database.close();
  }
}

import { mkdtempSync, rmdirSync, rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentError } from "../../src/common/errors.ts";
import { Database } from "../../src/state/database.ts";
import { RecordTable } from "../../src/state/record-table.ts";
import { output, runCommand } from "../support/command.ts";
import { cannotRun } from "../support/requirements.ts";

interface Entry {
  readonly state: string;
  readonly filler: string;
}

describe.skipIf(cannotRun())("records on a disk that is full", () => {
  let directory = "";
  let path = "";
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "podling-full-disk-"));
    await output(["mount", "-t", "tmpfs", "-o", "size=32m", "podling-full-disk", directory]);
    path = join(directory, "records.db");
  });
  afterEach(async () => {
    await output(["umount", directory]);
    rmdirSync(directory);
  });

  const available = () => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  };
  const fill = async () => {
    await runCommand(["dd", "if=/dev/zero", `of=${join(directory, "filler")}`, "bs=4k"]);
    expect(available()).toBe(0);
  };
  const open = () => {
    const database = Database.open(path);
    return { database, table: new RecordTable(database, "containers", (value) => value as Entry) };
  };
  const entry = (state: string): Entry => ({ state, filler: "x".repeat(2_000) });

  test("can be changed and removed, thousands of times over", async () => {
    const { database, table } = open();
    using _database = database;
    for (let id = 0; id < 200; id++) table.put(`c${id}`, entry("running"));
    await fill();
    for (let round = 0; round < 20; round++) {
      for (let id = 0; id < 200; id++) table.put(`c${id}`, entry(`exited ${round}`));
    }
    for (let id = 0; id < 200; id++) table.delete(`c${id}`);
    expect(table.list(() => undefined)).toEqual([]);
  });

  test("can be opened, after an orderly end as well, and changed then", async () => {
    {
      const { database, table } = open();
      using _database = database;
      for (let id = 0; id < 200; id++) table.put(`c${id}`, entry("running"));
    }
    await fill();
    const { database, table } = open();
    using _database = database;
    // What the start has given up for it, others take at once.
    await fill();
    for (let id = 0; id < 200; id++) table.put(`c${id}`, entry("exited"));
    expect(table.get("c7")?.state).toBe("exited");
  });

  test("can be opened after a crash, and changed then", async () => {
    // A process of its own, for only one that is killed leaves the log as it is.
    const script = `
      import { Database } from ${JSON.stringify(join(import.meta.dirname, "../../src/state/database.ts"))};
      const database = Database.open(${JSON.stringify(path)});
      database.run("INSERT INTO containers (id, body) VALUES ('c', '{}')");
      process.kill(process.pid, "SIGKILL");`;
    await runCommand([process.execPath, "--input-type=module", "--eval", script]);
    rmSync(`${path}-ballast`);
    await fill();
    const { database, table } = open();
    using _database = database;
    for (let round = 0; round < 1_000; round++) table.put("c", entry(`exited ${round}`));
    expect(table.get("c")?.state).toBe("exited 999");
  });

  test("lay by again what was given up, once there is room", async () => {
    open().database[Symbol.dispose]();
    await fill();
    open().database[Symbol.dispose]();
    expect(() => statSync(`${path}-ballast`)).toThrow(/ENOENT/);
    rmSync(join(directory, "filler"));
    open().database[Symbol.dispose]();
    expect(statSync(`${path}-ballast`).blocks * 512).toBeGreaterThanOrEqual(4 * 2 ** 20);
  });

  test("say so when there is no room for more, and take nothing of it", async () => {
    const { database, table } = open();
    using _database = database;
    table.put("first", entry("running"));
    await fill();
    const addMany = () =>
      database.transaction(() => {
        for (let id = 0; id < 20_000; id++) table.put(`more${id}`, entry("running"));
      });
    expect(addMany).toThrow(AgentError);
    expect(addMany).toThrow(/their file system is full/);
    expect(table.list(() => undefined)).toHaveLength(1);
    table.put("first", entry("exited"));
    expect(table.get("first")?.state).toBe("exited");
  });
});

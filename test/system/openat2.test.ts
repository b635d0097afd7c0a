import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { O_PATH, openat2, RESOLVE_IN_ROOT } from "../../src/system/libc.ts";

const renaming = `
const { renameSync } = require("node:fs");
const { path, count } = require("node:worker_threads").workerData;
const renames = new Int32Array(count);
for (;;) {
  renameSync(path, path + "-moved");
  renameSync(path + "-moved", path);
  Atomics.add(renames, 0, 2);
}
`;

test("a path up and down again opens while others rename files anywhere on the machine", async () => {
  const directory = mkdtempSync(join(tmpdir(), "podling-openat2-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  mkdirSync(join(directory, "root/a"), { recursive: true });
  writeFileSync(join(directory, "elsewhere"), "");
  const root = openSync(join(directory, "root"), O_PATH | constants.O_DIRECTORY);
  onTestFinished(() => closeSync(root));
  const count = new SharedArrayBuffer(4);
  const renames = new Int32Array(count);
  const worker = new Worker(renaming, { eval: true, workerData: { path: join(directory, "elsewhere"), count } });
  onTestFinished(async () => void (await worker.terminate()));

  const path = "a/../".repeat(50);
  const failures = new Set<string>();
  while (Atomics.load(renames, 0) < 20_000) {
    try {
      closeSync(openat2(root, path, O_PATH, 0, RESOLVE_IN_ROOT));
    } catch (error) {
      failures.add(String(error));
    }
  }
  expect([...failures]).toEqual([]);
});

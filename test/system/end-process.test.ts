import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

test("a process ends at once with the status told, whatever its threads hang in", () => {
  const child = join(import.meta.dirname, "end-process.child.ts");
  // Far longer than it takes, and far shorter than the thread hangs.
  const ended = spawnSync(process.execPath, [child], { timeout: 30_000, killSignal: "SIGKILL" });
  expect({ status: ended.status, signal: ended.signal }).toEqual({ status: 7, signal: null });
});

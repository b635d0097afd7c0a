import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const repository = join(import.meta.dirname, "../..");

/** Every generated file with its text, by its path. */
function filesOf(folder: string): ReadonlyMap<string, string> {
  const names = globSync("**/*.ts", { cwd: folder }).sort();
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), "utf8")]));
}

test("src/generated is what `npm run gen` makes of proto/", async () => {
  const manifest: unknown = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
  const [program = "", ...args] = (manifest as { scripts: { gen: string } }).scripts.gen.split(" ");
  const folder = await mkdtemp(join(tmpdir(), "podling-gen-"));
  try {
    const binary = join(repository, "node_modules/.bin", program);
    const redirected = args.map((arg) => (arg === "src/generated" ? folder : arg));
    await promisify(execFile)(process.execPath, [binary, ...redirected], { cwd: repository });
    expect(filesOf(join(repository, "src/generated"))).toEqual(filesOf(folder));
  } finally {
    await rm(folder, { recursive: true });
  }
});

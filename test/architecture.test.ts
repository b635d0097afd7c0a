import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, expect, test } from "vitest";

/** The folder table of docs/architecture.md: what each folder of src may import besides itself. */
const domains = ["system", "state", "manifests", "common"];
const mayImport: Readonly<Record<string, readonly string[]>> = {
  common: [],
  system: ["common"],
  state: ["common"],
  manifests: ["common"],
  images: domains,
  network: domains,
  storage: domains,
  runtime: domains,
  sandbox: ["images", "network", "storage", "runtime", "state", "common"],
  pod: ["sandbox", "state", "common"],
  rpc: ["pod", "sandbox", "images", "common", "generated"],
  cli: ["generated", "common"],
  node: ["generated", "common"],
  generated: [],
};
const topLevel = [
  "main.ts",
  "serve.ts",
  "config.ts",
  "config-schema.ts",
  "config-default.ts",
  "config-fields.ts",
  "config-layers.ts",
  "config-locate.ts",
];
const src = join(import.meta.dirname, "../src");
const files = globSync("**/*.ts", { cwd: src });

/** Every relative module a file names, type-only imports and worker URLs included. */
function importsOf(file: string): readonly string[] {
  const text = readFileSync(join(src, file), "utf8");
  const found = text.matchAll(/(?:from\s+|import\s*\(\s*|new URL\(\s*|^import\s+)"(\.[^"]+)"/gm);
  return [...found].map((match) => relative(src, join(src, dirname(file), match[1] ?? "")));
}

describe("architecture", () => {
  test.each(files.filter((file) => file.includes("/")))("%s imports only lower folders", (file) => {
    const folder = file.split("/")[0] ?? "";
    const allowed = mayImport[folder];
    expect(allowed, `folder src/${folder} is not in the table`).toBeDefined();
    const upward = importsOf(file).filter((target) => {
      const to = target.split("/")[0] ?? "";
      return to !== folder && !target.startsWith("..") && !allowed?.includes(to);
    });
    expect(upward).toEqual([]);
  });

  test("only the composition and the configuration lie beside the folders", () => {
    expect(files.filter((file) => !file.includes("/")).filter((file) => !topLevel.includes(file))).toEqual([]);
  });

  test("nobody imports main.ts", () => {
    expect(files.filter((file) => importsOf(file).includes("main.ts"))).toEqual([]);
  });

  test("no file is a barrel or a drawer", () => {
    const bad = files.filter((file) => /(^|\/)(index|utils?|helpers?|misc|common)\.ts$/.test(file));
    expect(bad).toEqual([]);
  });

  test("files stay small enough to read at once", () => {
    const long = files
      .filter((file) => !file.startsWith("generated/"))
      .map((file) => ({ file, lines: readFileSync(join(src, file), "utf8").split("\n").length }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
  });
});

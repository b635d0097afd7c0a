import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createLog } from "../../src/common/log.ts";
import { ManifestDirectory } from "../../src/manifests/manifest-directory.ts";

const scratch = mkdtempSync(join(tmpdir(), "podling-manifests-"));
afterAll(() => rmSync(scratch, { recursive: true }));
let count = 0;

const namespace = (name: string) => `{apiVersion: v1, kind: Namespace, metadata: {name: ${name}}}\n`;

function open(directory = join(scratch, `d${count++}`)) {
  return ManifestDirectory.open({ directory, log: createLog("silent") });
}

function filled(files: Readonly<Record<string, string>>): string {
  const directory = join(scratch, `d${count++}`);
  mkdirSync(directory);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

const names = (manifests: ManifestDirectory) => [...manifests.current.namespaces.keys()];

describe("ManifestDirectory", () => {
  test("reads manifests by name, and nothing else", async () => {
    const directory = filled({
      "b.yaml": namespace("b"),
      "a.json": namespace("a"),
      "c.yml": namespace("c"),
      ".hidden.yaml": namespace("hidden"),
      "notes.txt": "not a manifest",
    });
    mkdirSync(join(directory, "folder.yaml"));
    await using manifests = await open(directory);
    expect(names(manifests)).toEqual(["a", "b", "c"]);
    expect(manifests.fault).toBeUndefined();
  });

  test("takes changes as they come: new files, replaced ones, removed ones, and tells of each", async () => {
    const directory = filled({ "a.yaml": namespace("a") });
    await using manifests = await open(directory);
    const seen: string[][] = [];
    using _ = manifests.onChange(({ namespaces }) => seen.push([...namespaces.keys()]));
    writeFileSync(join(directory, "b.yaml"), namespace("b"));
    await expect.poll(() => names(manifests)).toEqual(["a", "b"]);
    writeFileSync(join(directory, "next"), namespace("other"));
    renameSync(join(directory, "next"), join(directory, "a.yaml"));
    await expect.poll(() => names(manifests)).toEqual(["other", "b"]);
    rmSync(join(directory, "b.yaml"));
    await expect.poll(() => names(manifests)).toEqual(["other"]);
    expect(seen.at(-1)).toEqual(["other"]);
  });

  test("keeps what held while a file is wrong, says what is wrong, and takes the mended one", async () => {
    const directory = filled({ "a.yaml": namespace("a") });
    await using manifests = await open(directory);
    writeFileSync(join(directory, "b.yaml"), "kind: Namespace\n");
    await expect.poll(() => manifests.fault?.message).toBe(`${directory}/b.yaml:1: Missing metadata`);
    expect(names(manifests)).toEqual(["a"]);
    writeFileSync(join(directory, "b.yaml"), namespace("b"));
    await expect.poll(() => names(manifests)).toEqual(["a", "b"]);
    expect(manifests.fault).toBeUndefined();
  });

  test("an absent directory says nothing until it is there; links lead where they lead now", async () => {
    const directory = join(scratch, `d${count++}`);
    await using manifests = await open(directory);
    expect(names(manifests)).toEqual([]);
    mkdirSync(directory);
    writeFileSync(join(scratch, "target-1"), namespace("one"));
    symlinkSync(join(scratch, "target-1"), join(directory, "a.yaml"));
    await manifests.rescan();
    expect(names(manifests)).toEqual(["one"]);
    writeFileSync(join(scratch, "target-1"), namespace("three"));
    await manifests.rescan();
    expect(names(manifests)).toEqual(["three"]);
  });

  test("refuses a file too large to be a manifest", async () => {
    await using manifests = await open(filled({ "a.yaml": " ".repeat(4 * 1024 * 1024 + 1) }));
    expect(manifests.fault?.message).toMatch(/has 4194305 bytes, must have at most 4194304/);
  });
});

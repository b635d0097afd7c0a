import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Digest } from "../../src/common/ids.ts";
import { ImageCatalogue } from "../../src/images/image-catalogue.ts";
import { decodeImageRecord, type ImageRecord } from "../../src/images/image-record.ts";
import { Database } from "../../src/state/database.ts";
import { RecordTable } from "../../src/state/record-table.ts";

const top = mkdtempSync(join(tmpdir(), "podling-catalogue-"));
let databases = 0;
afterAll(() => rmSync(top, { recursive: true, force: true }));

function temporaryDatabase(): Database {
  return Database.open(join(top, `${databases++}.db`));
}

const idOf = (letter: string) => `sha256:${letter.repeat(64)}` as Digest;
const digestName = (letter: string) => `docker.io/library/app@${idOf(letter)}`;

function image(
  letter: string,
  tags: readonly string[],
  digests: readonly string[] = [digestName(letter)],
): ImageRecord {
  return {
    id: idOf(letter),
    tags: tags.map((tag) => `docker.io/library/app:${tag}`),
    digests,
    chainIds: [idOf(letter)],
    sizeBytes: 7,
    config: {
      user: "",
      env: [],
      entrypoint: [],
      cmd: [],
      workingDir: "",
      stopSignal: "",
      volumes: [],
      labels: Object.assign(Object.create(null), { constructor: "label" }),
      architecture: "amd64",
      os: "linux",
    },
    pinned: false,
    annotations: Object.create(null),
    createdAt: "2026-01-01T00:00:00.000Z",
    contentDigests: [idOf(letter)],
  };
}

function open(database: Database): ImageCatalogue {
  const table = new RecordTable(database, "images", decodeImageRecord);
  const catalogue = new ImageCatalogue(table, (body) => database.transaction(body));
  catalogue.load((_id, error) => {
    throw error;
  });
  return catalogue;
}

describe("ImageCatalogue", () => {
  test("finds one image by every name it has, also after a restart", () => {
    using database = temporaryDatabase();
    open(database).add(image("a", ["latest", "1"]));
    const catalogue = open(database);
    const [hex, expected] = ["a".repeat(64), image("a", ["latest", "1"])];
    const names = ["app", "app:1", "library/app", "docker.io/library/app:latest", `app@${idOf("a")}`, idOf("a"), hex];
    for (const name of [...names, "a", "aaaaaaaaaaaaa", "sha256:aaaa"])
      expect(catalogue.resolve(name), name).toEqual(expected);
    for (const name of ["app:2", "other", "b", `other@${idOf("a")}`, "NOT A NAME", "sha256:b", "../x"]) {
      expect(catalogue.resolve(name), name).toBeUndefined();
    }
  });

  test("an empty name and an ambiguous prefix are errors", () => {
    using database = temporaryDatabase();
    const catalogue = open(database);
    catalogue.add(image("a", ["1"]));
    catalogue.add({ ...image("b", ["2"]), id: `sha256:ab${"0".repeat(62)}` as Digest });
    expect(() => catalogue.resolve("")).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    expect(() => catalogue.resolve("sha256:a")).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
  });

  test("merges names of one image and moves a tag to a new one", () => {
    using database = temporaryDatabase();
    const catalogue = open(database);
    catalogue.add(image("a", ["latest"]));
    catalogue.add(image("a", ["1"], [`mirror.example/app@${idOf("c")}`]));
    catalogue.add(image("b", ["latest"]));
    const expected = [image("a", ["1"], [digestName("a"), `mirror.example/app@${idOf("c")}`]), image("b", ["latest"])];
    expect(catalogue.list()).toEqual(expected);
    expect(open(database).list()).toEqual(expected);
    expect(catalogue.resolve("app")?.id).toBe(idOf("b"));
  });

  test("remove() takes all names, once", () => {
    using database = temporaryDatabase();
    const catalogue = open(database);
    catalogue.add(image("a", ["latest", "1"]));
    expect([catalogue.remove(idOf("a")), catalogue.remove(idOf("a"))]).toEqual([true, false]);
    for (const name of ["app", "app:1", digestName("a"), idOf("a")]) expect(catalogue.resolve(name)).toBeUndefined();
    expect(open(database).list()).toEqual([]);
  });

  test("a failed transaction leaves memory and records as they were", () => {
    using database = temporaryDatabase();
    const catalogue = open(database);
    catalogue.add(image("a", ["latest"]));
    const fail = () => {
      throw new Error("disk full");
    };
    expect(() => catalogue.add(image("b", ["latest"]), fail)).toThrow("disk full");
    expect([catalogue.list(), open(database).list()]).toEqual([[image("a", ["latest"])], [image("a", ["latest"])]]);
  });

  test("whatever comes and goes, a name has one owner and memory is what the records say", () => {
    const letter = fc.constantFrom("a", "b", "c");
    const step = fc.record({ letter, tags: fc.subarray(["x", "y", "z"]), remove: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        using database = temporaryDatabase();
        const catalogue = open(database);
        for (const { letter: name, tags, remove } of steps) {
          if (remove) catalogue.remove(idOf(name));
          else catalogue.add(image(name, tags));
        }
        const names = catalogue.list().flatMap((record) => [...record.tags, ...record.digests]);
        expect(new Set(names).size).toBe(names.length);
        for (const record of catalogue.list())
          for (const tag of record.tags) expect(catalogue.resolve(tag)).toEqual(record);
        const byId = (records: readonly ImageRecord[]) => records.toSorted((a, b) => a.id.localeCompare(b.id));
        expect(byId(open(database).list())).toEqual(byId(catalogue.list()));
      }),
      { numRuns: 50 },
    );
  });
});

describe("decodeImageRecord()", () => {
  test.each<[string, unknown]>([
    ["text", "x"],
    ["a bad id", { ...image("a", []), id: "../x" }],
    ["no config", { ...image("a", []), config: undefined }],
    ["tags that are no strings", { ...image("a", []), tags: [1] }],
  ])("refuses %s", (_name, value) => {
    expect(() => decodeImageRecord(value)).toThrow();
  });
});

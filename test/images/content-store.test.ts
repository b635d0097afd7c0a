import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { type Digest, digestHex } from "../../src/common/ids.ts";
import { ContentStore } from "../../src/images/content-store.ts";

const top = mkdtempSync(join(tmpdir(), "podling-content-"));
const bytes = Buffer.from("hello");
const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
const long = `sha512:${createHash("sha512").update(bytes).digest("hex")}` as Digest;
let directory = "";

beforeEach(() => {
  directory = mkdtempSync(join(top, "store-"));
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

describe("ContentStore", () => {
  test("gives back what it was given, readable by root alone", () => {
    const store = new ContentStore(directory);
    store.put(digest, bytes);
    store.put(long, bytes);
    expect([store.read(digest), store.read(long)]).toEqual([bytes, bytes]);
    expect(statSync(join(directory, "sha256", digestHex(digest))).mode & 0o777).toBe(0o600);
    expect(store.usage()).toEqual({ bytes: 10, inodes: 2 });
  });

  test("refuses bytes of another digest, and names that are paths", () => {
    const store = new ContentStore(directory);
    expect(() => store.put(digest, Buffer.from("other"))).toThrow(expect.objectContaining({ code: "DataLoss" }));
    expect(() => store.read("sha256:../../../etc/passwd" as Digest)).toThrow(
      expect.objectContaining({ code: "InvalidArgument" }),
    );
    expect(store.usage().inodes).toBe(0);
  });

  test("a file whose bytes have rotted is missing, and can be written anew", () => {
    const store = new ContentStore(directory);
    store.put(digest, bytes);
    writeFileSync(join(directory, "sha256", digestHex(digest)), "hellO");
    expect(store.read(digest)).toBeUndefined();
    store.put(digest, bytes);
    expect(store.read(digest)).toEqual(bytes);
  });

  test("retain() removes the rest and what a crash left half-written", () => {
    const store = new ContentStore(directory);
    store.put(digest, bytes);
    store.put(long, bytes);
    writeFileSync(join(directory, "sha256", ".abc.tmp"), "half");
    store.retain(new Set([digest]));
    expect(readdirSync(join(directory, "sha256"))).toEqual([digestHex(digest)]);
    expect(store.read(long)).toBeUndefined();
  });
});

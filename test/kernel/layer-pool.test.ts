import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { AgentError, type ErrorCode, primaryError } from "../../src/common/errors.ts";
import { snapshotForms } from "../../src/images/snapshot-form.ts";
import { mount, unmount } from "../../src/system/mount.ts";
import { removeTreeNow } from "../../src/system/remove-tree.ts";
import { digestOf, type JobChanges, LayerFixture } from "../images/layer-fixture.ts";
import { listTree } from "../images/tree-listing.ts";
import { cannotRun } from "../support/requirements.ts";
import { writeTar } from "../support/tar-writer.ts";

const big = randomBytes(3_000_000);
const tar = writeTar([
  { name: "d", type: "directory" },
  { name: "d/big", body: big },
  { name: "d/small", body: "x" },
]);
const gzip = (bytes: Buffer) => gzipSync(bytes, { level: 1 });
/** The tar in pieces, each compressed by itself. */
const members = (compress: (bytes: Buffer) => Buffer) =>
  [0, 1, 2, 3, 4].map((index) => compress(tar.subarray(index * 700_000, (index + 1) * 700_000)));
const skippableFrame = Buffer.from("502a4d1804000000deadbeef", "hex");

const accepted: readonly (readonly [string, JobChanges])[] = [
  ["plain", { compression: "none" }],
  ["gzip", { compression: "gzip" }],
  ["zstd", { compression: "zstd" }],
  ["Docker's media type", { mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip" }],
  ["gzip of several members", { blob: Buffer.concat(members(gzip)) }],
  ["gzip padded with zeros", { blob: Buffer.concat([gzip(tar), Buffer.alloc(3_000_000)]) }],
  ["gzip with an empty member", { blob: Buffer.concat([gzip(Buffer.alloc(0)), gzip(tar)]) }],
  ["zstd of several frames", { compression: "zstd", blob: Buffer.concat(members(zstdCompressSync)) }],
  [
    "zstd with skippable frames",
    { compression: "zstd", blob: Buffer.concat(members(zstdCompressSync).flatMap((frame) => [skippableFrame, frame])) },
  ],
  [
    "zstd ending in a skippable frame",
    { compression: "zstd", blob: Buffer.concat([zstdCompressSync(tar), skippableFrame]) },
  ],
];

const other = digestOf(Buffer.from("something else"));
const refused: readonly (readonly [string, JobChanges, ErrorCode, string])[] = [
  ["another digest", { digest: other }, "DataLoss", "blob has digest"],
  ["another diff id", { diffId: other }, "DataLoss", "tar has digest"],
  ["a smaller size", { sizeBytes: 1000 }, "DataLoss", "1000"],
  ["a larger size", { sizeBytes: 5_000_000 }, "DataLoss", "5000000"],
  ["plain bytes told as gzip", { blob: tar }, "DataLoss", "media type says gzip"],
  ["gzip told as plain", { blob: gzip(tar), compression: "none" }, "DataLoss", "media type says none"],
  ["gzip told as zstd", { blob: gzip(tar), compression: "zstd" }, "DataLoss", "media type says zstd"],
  ["cut gzip", { blob: gzip(tar).subarray(0, -100) }, "DataLoss", "gzip data is damaged"],
  ["cut gzip trailer", { blob: gzip(tar).subarray(0, -4) }, "DataLoss", "gzip data is damaged"],
  [
    "cut zstd",
    { blob: zstdCompressSync(tar).subarray(0, -100), compression: "zstd" },
    "DataLoss",
    "zstd data is damaged",
  ],
  [
    "cut tar",
    { blob: gzip(tar.subarray(0, 1_000_000)), diffId: digestOf(tar.subarray(0, 1_000_000)) },
    "DataLoss",
    "middle",
  ],
  ["bytes behind gzip", { blob: Buffer.concat([gzip(tar), Buffer.from("junk")]) }, "DataLoss", "gzip"],
  [
    "bytes behind gzip's padding",
    { blob: Buffer.concat([gzip(tar), Buffer.alloc(9), Buffer.from("junk")]) },
    "DataLoss",
    "gzip",
  ],
  [
    "bytes behind zstd",
    { blob: Buffer.concat([zstdCompressSync(tar), Buffer.from("junk")]), compression: "zstd" },
    "DataLoss",
    "zstd",
  ],
  ["an empty blob", { blob: Buffer.alloc(0) }, "DataLoss", "media type says gzip"],
  [
    "an unknown media type",
    { mediaType: "application/vnd.oci.image.layer.v1.tar+encrypted" },
    "Unimplemented",
    "+encrypted",
  ],
  ["a bomb", { blob: gzip(Buffer.alloc(200_000_000)) }, "ResourceExhausted", "100000000 bytes"],
];

describe.skipIf(cannotRun()).each(snapshotForms)("LayerPool, form %s,", (form) => {
  let fixture: LayerFixture;
  beforeAll(async () => {
    fixture = await LayerFixture.start({ form, limits: { tarBytes: 100_000_000, entries: 1000 } });
  });
  afterEach(() => {
    expect(fixture.leftovers()).toEqual([]);
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
  });

  test.each(accepted)("unpacks %s", async (_name, changes) => {
    const job = fixture.job(tar, undefined, changes);
    await fixture.snapshots.commit(await fixture.stage(job), job);
    const tree = listTree(fixture.mount(job.chainId));
    expect(tree.get("d/big")?.content).toBe(`3000000 ${digestOf(big).slice(7)}`);
    expect([...tree.keys()]).toEqual(["", "d", "d/big", "d/small"]);
    await fixture.unmountAll();
    await fixture.snapshots.remove(job.chainId);
  });

  test.each(refused)("refuses %s", async (_name, changes, code, message) => {
    const outcome = fixture.stage(fixture.job(tar, undefined, changes));
    const error = primaryError(await outcome.catch((thrown: unknown) => thrown));
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test("tells how far it has come", async () => {
    const seen: number[] = [];
    const job = fixture.job(tar, undefined, { compression: "none" });
    const staged = await fixture.pool.unpack(job, (doneBytes) => seen.push(doneBytes), new AbortController().signal);
    expect(seen.at(-1)).toBe(job.sizeBytes);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    await fixture.snapshots.discard(staged);
  });

  test("an abort ends a job, before and after it has begun", async () => {
    const job = fixture.job(tar);
    await expect(fixture.pool.unpack(job, () => undefined, AbortSignal.abort())).rejects.toMatchObject({
      code: "Cancelled",
    });
    const slow = new AbortController();
    await expect(fixture.pool.unpack(job, () => slow.abort(), slow.signal)).rejects.toMatchObject({
      code: "Cancelled",
    });
  });

  test("more entries than the limit are refused", async () => {
    const many = writeTar(Array.from({ length: 1001 }, (_, index) => ({ name: `f${index}` })));
    await expect(fixture.stage(fixture.job(many))).rejects.toMatchObject({ code: "ResourceExhausted" });
    const implied = writeTar(Array.from({ length: 10 }, (_, index) => ({ name: `${index}/${"d/".repeat(120)}f` })));
    await expect(fixture.stage(fixture.job(implied))).rejects.toMatchObject({ code: "ResourceExhausted" });
  });

  test("a full disk is a clear error", async () => {
    const target = mkdtempSync("/var/tmp/podling-test/small-");
    mount("tmpfs", target, "tmpfs", 0, "size=1m");
    const { LayerPool } = await import("../../src/images/layer-pool.ts");
    const pool = new LayerPool({ workers: 1, ingestDirectory: join(target, "ingest"), form });
    try {
      const outcome = pool.unpack(fixture.job(tar), () => undefined, new AbortController().signal);
      await expect(outcome).rejects.toMatchObject({
        code: "ResourceExhausted",
        message: expect.stringContaining("space"),
      });
      expect(readdirSync(join(target, "ingest"))).toEqual([]);
    } finally {
      await pool.close();
      await unmount(target);
      removeTreeNow(target);
    }
  });

  test("closing ends running jobs and leaves nothing", async () => {
    const { LayerPool } = await import("../../src/images/layer-pool.ts");
    const pool = new LayerPool({ workers: 1, ingestDirectory: fixture.ingest, form });
    const outcome = pool.unpack(fixture.job(tar), () => undefined, new AbortController().signal);
    const rejected = expect(outcome).rejects.toMatchObject({ code: "Cancelled" });
    await pool.close();
    await rejected;
    await expect(pool.unpack(fixture.job(tar), () => undefined, new AbortController().signal)).rejects.toMatchObject({
      code: "Cancelled",
    });
  });
});

const failpoints = [
  "pull.layer-staging",
  "pull.layer-unpacking",
  "pull.layer-staged",
  "pull.snapshot-fitted",
  "pull.snapshot-placed",
  "pull.snapshots-synced",
  "pull.snapshots-recorded",
  "remove.snapshot-forgotten",
] as const;
const killed = {
  overlay: failpoints,
  erofs: [...failpoints, "pull.layer-mounted", "pull.layer-fitting", "pull.layer-indexed"],
} as const;

describe.skipIf(cannotRun()).each(snapshotForms)("SnapshotStore, form %s, after SIGKILL", (form) => {
  test.each(killed[form])("at %s", async (failpoint) => {
    await using fixture = await LayerFixture.start({ form });
    const lower = writeTar([
      { name: "d", type: "directory", mode: 0o700 },
      { name: "d/a", body: "a" },
    ]);
    const upper = writeTar([{ name: "d/b", body: "b" }, { name: "d/.wh.a" }]);
    const base = fixture.job(lower);
    const top = fixture.job(upper, base.chainId);
    const child = spawn(process.execPath, [join(import.meta.dirname, "snapshot-child.ts")], {
      env: { ...process.env, PODLING_FAILPOINT: failpoint },
      stdio: ["pipe", "inherit", "inherit"],
    });
    child.stdin.end(JSON.stringify({ directory: fixture.directory, form, jobs: [base, top] }));
    const signal = await new Promise((resolve) => child.on("exit", (_code, name) => resolve(name)));
    expect(signal).toBe("SIGKILL");

    const store = fixture.openStore();
    await store.recover();
    store.unmountUnneeded(new Set());
    expect(fixture.leftovers()).toEqual([]);
    expect(fixture.mounted()).toEqual([]);
    const recorded = store.list().map(({ number }) => String(number));
    expect(readdirSync(join(fixture.directory, "snapshots")).sort()).toEqual(recorded.sort());
    for (const { chainId } of store.list()) expect(existsSync(store.lowerDirectories(chainId)[0] ?? "")).toBe(true);

    fixture.snapshots = store;
    const chain = await fixture.apply([lower, upper], "gzip");
    const tree = listTree(fixture.mount(chain));
    expect([...tree].map(([path, node]) => `${path} ${node.mode}`)).toEqual([" 755", "d 700", "d/b 644"]);
  });
});

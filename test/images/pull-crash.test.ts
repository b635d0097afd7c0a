import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLog } from "../../src/common/log.ts";
import { Images } from "../../src/images/images.ts";
import { type SnapshotForm, snapshotForms } from "../../src/images/snapshot-form.ts";
import { Database } from "../../src/state/database.ts";
import { listMounts } from "../../src/system/mountinfo.ts";
import { buildImage, buildLayer, type Image } from "../support/oci-image.ts";
import { pushImage } from "../support/push-image.ts";
import { Registry } from "../support/registry.ts";

const top = mkdtempSync(join(tmpdir(), "podling-pull-crash-"));
let registry: Registry;
let image: Image;
let reference = "";

beforeAll(async () => {
  registry = await Registry.start({ directory: join(top, "registry") });
  const layers = [
    await buildLayer([
      { name: "etc", type: "directory" },
      { name: "etc/one", body: "1" },
    ]),
    // Implied directory, whiteout and lower link: what a commit has to settle on the parents.
    await buildLayer([
      { name: "etc/two", body: "2" },
      { name: "etc/.wh.one", body: "" },
    ]),
    await buildLayer([{ name: "etc/three", type: "hardlink", target: "etc/two" }]),
  ];
  image = buildImage({ layers });
  reference = (await pushImage(registry, "app", "1", image)).reference;
});

afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(top, { recursive: true, force: true });
});

/** Runs the pull in a process of its own that ends by SIGKILL at the failpoint. */
function crashAt(failpoint: string, rootDirectory: string, form: SnapshotForm, remove: string): void {
  const child = spawnSync(
    process.execPath,
    [join(import.meta.dirname, "pull-crash.child.ts"), rootDirectory, reference, form, remove],
    { env: { ...process.env, PODLING_FAILPOINT: failpoint }, encoding: "utf8", timeout: 30_000 },
  );
  expect({ signal: child.signal, stderr: child.stderr }).toEqual({ signal: "SIGKILL", stderr: "" });
}

const points = [
  "pull.intent",
  "pull.resolved",
  "pull.content",
  "pull.content:2",
  "pull.layer-unpacked",
  "pull.layer-unpacked:3",
  "pull.layer-commit",
  "pull.layer-commit:2",
  "pull.layer-committed",
  "pull.layer-committed:2",
  "pull.layers",
  "pull.synced",
  "pull.recorded",
  "remove.image-intent",
  "remove.image-record",
  "remove.image-layers",
];

const indexedPoints = ["pull.layer-mounted", "pull.layer-fitting", "pull.layer-indexed"];

describe.each(snapshotForms)("an agent with %s killed in the middle of a pull or a removal", (form) => {
  test.each(form === "erofs" ? [...points, ...indexedPoints] : points)(
    "at %s leaves a node that recovers, pulls and removes",
    async (point) => {
      const rootDirectory = mkdtempSync(join(top, "root-"));
      crashAt(point, rootDirectory, form, point.startsWith("remove.") ? "remove" : "");
      using database = Database.open(join(rootDirectory, "records.db"));
      await using images = new Images({
        rootDirectory,
        database,
        log: createLog("silent"),
        snapshotter: form,
        registryConfigPath: "",
        parallelLayers: 2,
        durable: true,
      });
      await images.recover(new Map());
      const counts = () => ({
        snapshots: readdirSync(join(rootDirectory, "snapshots")).length,
        snapshotRecords: database.all("SELECT id FROM snapshots").length,
        content: readdirSync(join(rootDirectory, "content/sha256")).length,
        ingest: readdirSync(join(rootDirectory, "ingest")).length,
        ingestRecords: database.all("SELECT id FROM ingests").length,
        mounts: listMounts().filter(({ target }) => target.startsWith(rootDirectory)).length,
      });
      const whole = { snapshots: 3, snapshotRecords: 3, content: 2, ingest: 0, ingestRecords: 0, mounts: 0 };
      const empty = { snapshots: 0, snapshotRecords: 0, content: 0, ingest: 0, ingestRecords: 0, mounts: 0 };
      const recorded = ["pull.recorded", "remove.image-intent"].includes(point);
      expect(counts()).toEqual(recorded ? whole : empty);
      expect(images.list().map(({ id }) => id)).toEqual(recorded ? [image.config.digest] : []);
      await images.pull({ reference });
      expect(counts()).toEqual(whole);
      await images.remove(reference);
      expect(counts()).toEqual(empty);
    },
  );
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LayerJob } from "../../src/images/layer-job.ts";
import { LayerPool } from "../../src/images/layer-pool.ts";
import type { SnapshotForm } from "../../src/images/snapshot-form.ts";
import { SnapshotStore } from "../../src/images/snapshot-store.ts";
import { Database } from "../../src/state/database.ts";

/** Pulls layers, records them and removes the top one, as a process of its own that a failpoint may end anywhere. */
const { directory, form, jobs } = JSON.parse(readFileSync(0, "utf8")) as {
  directory: string;
  form: SnapshotForm;
  jobs: readonly LayerJob[];
};
using database = Database.open(join(directory, "records.db"));
await using pool = new LayerPool({ workers: 2, ingestDirectory: join(directory, "ingest"), form });
const store = new SnapshotStore({ rootDirectory: directory, database, durable: true, fitter: pool });
const signal = new AbortController().signal;
const staged = await Promise.all(jobs.map((job) => pool.unpack(job, () => undefined, signal)));
for (const layer of staged) await store.commit(layer, layer);
await store.sync();
for (const { chainId } of staged.toReversed()) await store.remove(chainId);

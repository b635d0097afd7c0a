import { join } from "node:path";
import { createLog } from "../../src/common/log.ts";
import { Images } from "../../src/images/images.ts";
import { Database } from "../../src/state/database.ts";

/** Pulls `argv[3]` into root `argv[2]`, in the form `argv[4]`, and removes it again when `argv[5]` is "remove": the process the crash tests kill. */
const [rootDirectory = "", reference = "", snapshotter, remove = ""] = process.argv.slice(2);
const database = Database.open(join(rootDirectory, "records.db"));
const images = new Images({
  rootDirectory,
  database,
  log: createLog("silent"),
  snapshotter: snapshotter === "erofs" ? "erofs" : "overlay",
  registryConfigPath: "",
  parallelLayers: 2,
  durable: true,
});
await images.recover(new Map());
await images.pull({ reference });
if (remove === "remove") await images.remove(reference);
await images[Symbol.asyncDispose]();

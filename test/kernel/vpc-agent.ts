import { writeSync } from "node:fs";
import { NetworkBed } from "./network-bed.ts";

/**
 * An agent's network life in a process of its own, to be killed: two pods come, one goes, then the other and the
 * network. Each pod's id is printed before anything is done for it, as the sandbox's record would be written.
 * Arguments: the settings as JSON, the instance, the directory of the records.
 */
const [settings = "", instance, directory] = process.argv.slice(2);
const bed = new NetworkBed(JSON.parse(settings), instance, directory, (id) => writeSync(1, `${id}\n`));

await bed.vpc.start(bed.live);
const first = await bed.addPod();
const second = await bed.addPod();
// Long enough for the reaper, which has to delete the link itself as the namespace stays.
await bed.vpc.detach(first.id);
await new Promise((resolve) => setTimeout(resolve, 700));
await bed.removePod(first.id);
await bed.removePod(second.id);
await bed.vpc.stop();
process.exit(0);

import { Worker } from "node:worker_threads";
import { endProcess } from "../../src/system/end-process.ts";

// A thread in a system call that nothing ends, as an unmount of a dead disk is.
const hung = new URL("./hung-thread.child.ts", import.meta.url);
new Worker(hung).on("message", () => endProcess(7));

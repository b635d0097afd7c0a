import { parentPort } from "node:worker_threads";
import { libc } from "../../src/system/libc.ts";

parentPort?.postMessage("going to hang");
libc.poll(Buffer.alloc(0), 0, -1);

import { flushCompileCache } from "node:module";
import { libc } from "./libc.ts";

/**
 * Ends the process at once, as _exit(2) does, threads and all. `process.exit` would first stop each thread and wait for it:
 * one that hangs in an unmount holds up the end for as long as its disk likes, and one that is just loading the library of
 * system calls makes that library abort the process.
 */
export function endProcess(status: number): never {
  flushCompileCache();
  libc._exit(status);
  throw new Error("_exit(2) returned");
}

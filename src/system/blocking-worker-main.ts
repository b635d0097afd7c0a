import { parentPort } from "node:worker_threads";
import koffi from "koffi";
import { errnoOf, errorText, SystemError } from "../common/errors.ts";
import type { BlockingAnswer, BlockingCommand, BlockingRequest } from "./blocking-command.ts";
import { errnoName, libc } from "./libc.ts";
import { removeTreeNow } from "./remove-tree.ts";

/** A thread that nobody else needs: it does one thing at a time, however long the kernel keeps it. */

parentPort?.on("message", ({ id, command }: BlockingRequest) => {
  parentPort?.postMessage({ id, error: failureOf(command) } satisfies BlockingAnswer);
});

function failureOf(command: BlockingCommand): BlockingAnswer["error"] {
  try {
    carryOut(command);
    return undefined;
  } catch (error) {
    return { message: errorText(error), errno: errnoOf(error) };
  }
}

function carryOut(command: BlockingCommand): void {
  switch (command.kind) {
    case "unmount":
      unmountNow(command.target, command.flags);
      break;
    case "removeTree":
      removeTreeNow(command.path);
      break;
    default:
      command satisfies never;
  }
}

function unmountNow(target: string, flags: number): void {
  if (libc.umount2(target, flags) === 0) return;
  const errno = errnoName(koffi.errno());
  // EINVAL: not a mount point; ENOENT: not even a file. Either way the goal is reached.
  if (errno !== "EINVAL" && errno !== "ENOENT") throw new SystemError(`unmount "${target}": ${errno}`, { errno });
}

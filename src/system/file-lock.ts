import { closeSync, openSync } from "node:fs";
import { AgentError } from "../common/errors.ts";
import { libc } from "./libc.ts";

const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes the lock that keeps a second agent off the same directories; the kernel drops it when the process ends.
 * @throws AgentError FailedPrecondition when another process holds it
 */
export function lockFile(path: string): Disposable {
  const fd = openSync(path, "a", 0o600);
  if (libc.flock(fd, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(fd);
    throw new AgentError(
      "FailedPrecondition",
      `Another agent holds "${path}": one agent at a time may use a root or state directory`,
    );
  }
  return { [Symbol.dispose]: () => closeSync(fd) };
}

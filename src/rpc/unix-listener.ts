import { chmod, lstat, mkdir, rename, rm, unlink } from "node:fs/promises";
import { connect } from "node:net";
import { basename, dirname, isAbsolute, join } from "node:path";
import { AgentError, errnoOf } from "../common/errors.ts";

/** sockaddr_un.sun_path without its NUL. */
const maxSocketPath = 107;
/** How long a socket's owner has to accept before it counts as alive but busy. */
const probeTimeoutMs = 1000;

/** Where a socket is bound before anyone can see it, and where it goes then. */
export interface SocketPlan {
  readonly path: string;
  /** Directory only its owner can enter. */
  readonly nursery: string;
  readonly bindPath: string;
}

/**
 * @param address absolute path, or `unix://` and one
 * @throws AgentError InvalidArgument
 */
export function planSocket(address: string): SocketPlan {
  const path = address.startsWith("unix://") ? address.slice("unix://".length) : address;
  if (!isAbsolute(path) || path.includes("\0")) {
    throw new AgentError(
      "InvalidArgument",
      `Invalid address ${JSON.stringify(address)}: must be the absolute path of a socket`,
    );
  }
  const nursery = join(dirname(path), `.${basename(path)}.new`);
  const bindPath = join(nursery, "s");
  if (Buffer.byteLength(bindPath) > maxSocketPath) {
    throw new AgentError(
      "InvalidArgument",
      `Invalid address ${JSON.stringify(address)}: must be at most ${maxSocketPath - (bindPath.length - path.length)} bytes, ` +
        "the kernel's bound for socket paths",
    );
  }
  return { path, nursery, bindPath };
}

/**
 * Gets the place ready: the directory exists, nobody answers on the path, and no half-made socket of an agent that was
 * killed here is left.
 * @throws AgentError FailedPrecondition when the path is no socket or someone answers on it
 */
export async function claimSocket(plan: SocketPlan): Promise<void> {
  await mkdir(dirname(plan.path), { recursive: true, mode: 0o711 });
  await removeStale(plan.path);
  await rm(plan.nursery, { recursive: true, force: true });
  await mkdir(plan.nursery, { mode: 0o700 });
}

/**
 * Shows the bound socket to the world. Binding in a private directory and renaming leaves no moment in which the
 * socket has a mode other than its last, and no change of this process's umask that other threads would see.
 * @returns what takes the socket away again, unless somebody else's has taken its place
 */
export async function publishSocket(plan: SocketPlan, mode: number): Promise<() => Promise<void>> {
  await chmod(plan.bindPath, mode);
  const { ino } = await lstat(plan.bindPath);
  await rename(plan.bindPath, plan.path);
  await rm(plan.nursery, { recursive: true, force: true });
  return async () => {
    const current = await statSocket(plan.path);
    if (current?.ino === ino) await unlink(plan.path);
  };
}

/** Takes away a socket that nobody answers on: its agent was killed. */
async function removeStale(path: string): Promise<void> {
  const found = await statSocket(path);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new AgentError("FailedPrecondition", `Can't listen on "${path}": it exists and is no socket`);
  }
  if (await answers(path)) {
    throw new AgentError("FailedPrecondition", `Can't listen on "${path}": another process answers there`);
  }
  await unlink(path);
}

async function statSocket(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Whether a process listens; anything but a refusal counts as yes, for unlinking a living socket is the worse mistake. */
function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ path, timeout: probeTimeoutMs });
  socket.once("connect", () => resolve(true));
  socket.once("timeout", () => resolve(true));
  socket.once("error", (error) => resolve(!["ECONNREFUSED", "ENOENT"].includes(errnoOf(error) ?? "")));
  return promise.finally(() => socket.destroy());
}

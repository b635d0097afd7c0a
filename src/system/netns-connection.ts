import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { delay } from "../common/deadline.ts";
import { SystemError } from "../common/errors.ts";
import type { KernelWorker } from "./kernel-worker.ts";
import { isTcpConnected } from "./tcp-connect.ts";

const longestPauseMs = 50;

/**
 * Opens a TCP connection from inside a network namespace. The kernel worker makes the socket there; the connection is
 * then an ordinary one of this thread's event loop.
 * @param netns path of its pin, or hostNetns
 * @throws SystemError with errno: ECONNREFUSED, ETIMEDOUT, ENOENT for a namespace that has gone
 */
export async function connectInNetns(
  kernel: KernelWorker,
  netns: string,
  address: string,
  port: number,
  timeoutMs: number,
): Promise<Socket> {
  const { fd, connected } = await kernel.connect(netns, address, port);
  try {
    if (!connected) await untilConnected(fd, `connect to ${address} port ${port}`, timeoutMs);
    return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Within a pod the kernel has answered by the first look, unless the server's queue is full. */
async function untilConnected(fd: number, step: string, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 1; !isTcpConnected(fd, step); pauseMs = Math.min(2 * pauseMs, longestPauseMs)) {
    if (performance.now() > deadline) throw new SystemError(`${step}: ETIMEDOUT`, { errno: "ETIMEDOUT" });
    await delay(pauseMs);
  }
}

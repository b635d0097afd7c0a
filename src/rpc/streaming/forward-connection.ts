import type { Socket } from "node:net";
import type { Duplex, Writable } from "node:stream";
import { errorText } from "../../common/errors.ts";

/** How long a client may go on sending to a server that has closed its side. */
const lingerMs = 1_000;

export interface Forward {
  readonly port: number;
  readonly data: Duplex;
  readonly error: Writable;
}

/** Opens a TCP connection to a port of the pod. */
export type Dial = (port: number) => Promise<Socket>;

/**
 * Carries one connection until both sides have ended, each side's end being passed on by itself. One that can't be made
 * is told on the error stream, and both streams are then reset, for clients wait for ever on ones that are only closed
 * (kubernetes #74551). One that the server resets is reset, and nothing is told: Kubernetes' clients give all their
 * connections up when they hear of an error.
 */
export async function forwardConnection({ port, data, error }: Forward, dial: Dial): Promise<void> {
  let socket: Socket;
  try {
    socket = await dial(port);
  } catch (failure) {
    error.write(`error forwarding port ${port}: ${errorText(failure)}`, () => {
      data.destroy();
      error.destroy();
    });
    return;
  }
  try {
    await carry(data, socket);
    data.end();
  } catch {
    data.destroy();
  }
  error.end();
}

async function carry(client: Duplex, server: Socket): Promise<void> {
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  let lingering: NodeJS.Timeout | undefined;
  server.on("error", reject);
  server.on("end", () => {
    lingering = setTimeout(resolve, lingerMs);
  });
  server.on("close", () => resolve());
  // The client has gone, or has reset the stream: there is nobody to tell.
  client.on("close", () => resolve());
  client.pipe(server);
  server.pipe(client);
  try {
    if (!client.destroyed) await done;
  } finally {
    clearTimeout(lingering);
    client.unpipe(server);
    server.destroy();
    client.resume();
  }
}

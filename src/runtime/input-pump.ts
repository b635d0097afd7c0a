import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { errnoOf } from "../common/errors.ts";

export interface InputPump extends Disposable {
  /** Resolves, never rejects, when the client has ended its input and all of it is in the FIFO, or nobody reads it. */
  readonly ended: Promise<"ended" | "unread">;
}

/**
 * Carries a client's input to a process. Input that nobody reads any more is dropped, so that it doesn't stand in the
 * way of what else the client has to say.
 * @param open opens the writing end; ENXIO and ENOENT mean that the process has ended or closed it
 */
export function pumpInput(input: Readable, open: () => Socket): InputPump {
  const { promise: ended, resolve } = Promise.withResolvers<"ended" | "unread">();
  const unread = () => {
    input.unpipe();
    input.resume();
    resolve("unread");
  };
  const writer = openUnlessGone(open);
  if (writer === undefined) {
    unread();
    return { ended, [Symbol.dispose]: () => undefined };
  }
  let inputEnded = false;
  input.once("end", () => {
    inputEnded = true;
  });
  writer.on("error", () => writer.destroy());
  writer.on("close", () => (inputEnded ? resolve("ended") : unread()));
  // A client that vanishes ends its input too, without saying so.
  input.once("close", () => writer.end());
  input.pipe(writer);
  if (input.destroyed) writer.destroy();
  return { ended, [Symbol.dispose]: () => writer.destroy() };
}

function openUnlessGone(open: () => Socket): Socket | undefined {
  try {
    return open();
  } catch (error) {
    if (errnoOf(error) === "ENXIO" || errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

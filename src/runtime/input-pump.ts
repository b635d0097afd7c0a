import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { delay } from "../common/deadline.ts";
import { errnoOf } from "../common/errors.ts";

export interface InputPump extends Disposable {
  /** Resolves, never rejects, when the client has ended its input and all of it is in the FIFO, or nobody reads it. */
  readonly ended: Promise<"ended" | "unread">;
}

/** A shim answers that a process was started before it has opened the process's input: a busy machine needs a while. */
const readerTimeoutMs = 10_000;
const lookAgainMs = 5;

/**
 * Carries a client's input to a process. Input that nobody reads any more is dropped, so that it doesn't stand in the
 * way of what else the client has to say.
 * @param open opens the writing end; ENXIO: nobody reads, perhaps not yet; ENOENT: the process has ended
 * @param over settles when the process has ended
 */
export function pumpInput(input: Readable, open: () => Socket, over: Promise<unknown>): InputPump {
  const { promise: ended, resolve } = Promise.withResolvers<"ended" | "unread">();
  const stop = new AbortController();
  let writer: Socket | undefined;
  const unread = () => {
    input.unpipe();
    input.resume();
    resolve("unread");
  };
  const begin = (opened: Socket) => {
    writer = opened;
    let inputEnded = false;
    input.once("end", () => {
      inputEnded = true;
    });
    opened.on("error", () => opened.destroy());
    opened.on("close", () => (inputEnded ? resolve("ended") : unread()));
    // A client that vanishes ends its input too, without saying so.
    input.once("close", () => opened.end());
    input.pipe(opened);
    if (input.destroyed || stop.signal.aborted) opened.destroy();
  };
  const abort = () => stop.abort();
  over.then(abort, abort);
  void openOnceRead(open, stop.signal).then((opened) => (opened === undefined ? unread() : begin(opened)));
  const dispose = () => {
    stop.abort();
    writer?.destroy();
  };
  return { ended, [Symbol.dispose]: dispose };
}

/** @returns undefined when nobody reads, and nobody will */
async function openOnceRead(open: () => Socket, stop: AbortSignal): Promise<Socket | undefined> {
  const deadline = performance.now() + readerTimeoutMs;
  while (!stop.aborted) {
    try {
      return open();
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || performance.now() >= deadline) return undefined;
    }
    await delay(lookAgainMs, stop).catch(() => undefined);
  }
  return undefined;
}

import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { AgentError } from "../common/errors.ts";
import { codecOf } from "./shim-protocol.ts";
import { encodeFrame, type Frame, FrameDecoder, frameType } from "./ttrpc-frame.ts";
import type { RequestMessage, ResponseMessage } from "./ttrpc-status.ts";

/**
 * Takes one call's encoded request. It must not block, and the caller has its answer before the handler runs: a shim
 * that waits for the agent makes its containers wait.
 */
export type NotificationHandler = (payload: Uint8Array) => void;

const unimplemented = 12;

/** A ttrpc server for notifications: every known method answers an empty message at once. */
export class TtrpcServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #handlers: ReadonlyMap<string, NotificationHandler>;
  readonly #onError: (error: unknown) => void;
  readonly #request = codecOf<RequestMessage>("ttrpc.Request");
  readonly #response = codecOf<ResponseMessage>("ttrpc.Response");

  /**
   * @param handlers by "service/method"
   * @param onError told of what a handler throws and of bytes that are no ttrpc; neither ends the server
   */
  constructor(handlers: ReadonlyMap<string, NotificationHandler>, onError: (error: unknown) => void) {
    this.#handlers = handlers;
    this.#onError = onError;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /**
   * Listens with mode 0600 and without a moment of wider access. The caller holds the lock of the state directory, so
   * a socket left at the path is stale.
   * @throws AgentError SystemFailure
   */
  async listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const refuse = (cause: Error) =>
      reject(new AgentError("SystemFailure", `Can't listen for shim events at "${path}"`, { cause }));
    this.#server.once("error", refuse);
    // bind(2) happens inside listen(), so the mask is back before anything else runs.
    const mask = process.umask(0o177);
    this.#server.listen(path, resolve);
    process.umask(mask);
    await promise;
    this.#server.off("error", refuse);
    this.#server.on("error", this.#onError);
  }

  /** Ends every connection and removes the socket. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => resolve());
    for (const socket of this.#sockets) socket.destroy();
    await promise;
  }

  #serve(socket: Socket): void {
    const decoder = new FrameDecoder();
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // A shim that goes away in the middle of a frame is no news: its death is seen on the task connection.
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      try {
        for (const frame of decoder.push(chunk)) if (frame.type === frameType.request) this.#take(socket, frame);
      } catch (error) {
        this.#onError(error);
        socket.destroy();
      }
    });
  }

  #take(socket: Socket, frame: Frame): void {
    const request = this.#request.decode(frame.data);
    const name = `${request.service}/${request.method}`;
    const handler = this.#handlers.get(name);
    const status = handler === undefined ? { code: unimplemented, message: `no method ${name}` } : null;
    const data = this.#response.encode({ status, payload: Buffer.alloc(0) });
    socket.write(encodeFrame({ streamId: frame.streamId, type: frameType.response, flags: 0, data }));
    try {
      handler?.(request.payload);
    } catch (error) {
      this.#onError(error);
    }
  }
}

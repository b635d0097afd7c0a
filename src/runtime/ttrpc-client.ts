import { connect, type Socket } from "node:net";
import { abortError } from "../common/deadline.ts";
import { AgentError } from "../common/errors.ts";
import { codecOf } from "./shim-protocol.ts";
import { encodeFrame, type Frame, FrameDecoder, frameType } from "./ttrpc-frame.ts";
import { errorOfStatus, type RequestMessage, type ResponseMessage } from "./ttrpc-status.ts";

export interface CallOptions {
  /** Ends the wait and is told to the server; undefined: no limit. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait; the server goes on, for ttrpc has no cancellation. */
  readonly signal?: AbortSignal | undefined;
}

interface PendingCall {
  readonly method: string;
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: AgentError) => void;
}

const largestStreamId = 2 ** 31 - 1;

/** Unary calls to one ttrpc server on a Unix socket; many may run at once and end in any order. */
export class TtrpcClient implements Disposable {
  readonly #socket: Socket;
  readonly #metadata: RequestMessage["metadata"];
  readonly #pending = new Map<number, PendingCall>();
  readonly #decoder = new FrameDecoder();
  readonly #request = codecOf<RequestMessage>("ttrpc.Request");
  readonly #response = codecOf<ResponseMessage>("ttrpc.Response");
  #nextStreamId = 1;
  #failure: AgentError | undefined;

  /** Resolves, never rejects, when the connection has ended from either side. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket, namespace: string) {
    this.#socket = socket;
    this.#metadata = [{ key: "containerd-namespace-ttrpc", value: namespace }];
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail("The connection to the shim broke", error));
    socket.on("end", () => this.#fail("The shim closed its connection"));
    socket.on("close", () => {
      this.#fail("The connection to the shim is closed");
      resolve();
    });
  }

  /**
   * @param path socket path; a leading NUL means an abstract socket
   * @param namespace containerd namespace that is sent with each call
   * @throws AgentError Unavailable when nothing answers there in time
   */
  static connect(path: string, namespace: string, timeoutMs: number): Promise<TtrpcClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const refuse = (cause: unknown) => {
        clearTimeout(timer);
        socket.destroy();
        reject(new AgentError("Unavailable", `Can't connect to the shim at ${JSON.stringify(path)}`, { cause }));
      };
      const timer = setTimeout(() => refuse(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
      socket.once("error", refuse);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", refuse);
        resolve(new TtrpcClient(socket, namespace));
      });
    });
  }

  /**
   * @returns the encoded response message
   * @throws AgentError with the server's status code; DeadlineExceeded; Cancelled; Unavailable when the connection ends
   */
  call(service: string, method: string, payload: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { timeoutMs, signal } = options;
    if (signal?.aborted) return Promise.reject(abortError(signal));
    const message: RequestMessage = {
      service,
      method,
      payload,
      ...(timeoutMs === undefined ? {} : { timeout_nano: String(Math.ceil(timeoutMs * 1e6)) }),
      ...(this.#metadata === undefined ? {} : { metadata: this.#metadata }),
    };
    const streamId = this.#takeStreamId();
    return new Promise<Uint8Array>((resolve, reject) => {
      const frame = encodeFrame({ streamId, type: frameType.request, flags: 0, data: this.#request.encode(message) });
      const expire = () => end(new AgentError("DeadlineExceeded", `${method} did not answer within ${timeoutMs} ms`));
      const abort = () => end(signal === undefined ? undefined : abortError(signal));
      const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs);
      signal?.addEventListener("abort", abort, { once: true });
      const end = (error: AgentError | undefined, answer?: Uint8Array) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#pending.delete(streamId);
        if (answer !== undefined) resolve(answer);
        else reject(error);
      };
      this.#pending.set(streamId, {
        method,
        resolve: (answer) => end(undefined, answer),
        reject: (error) => end(error),
      });
      this.#socket.write(frame);
    });
  }

  /** Ends the connection; calls still running fail with Unavailable. */
  [Symbol.dispose](): void {
    this.#fail("The connection to the shim was closed by the agent");
    this.#socket.destroy();
  }

  #takeStreamId(): number {
    if (this.#nextStreamId > largestStreamId) this.#nextStreamId = 1;
    // After a wrap-around an id may still belong to a Wait of days ago.
    while (this.#pending.has(this.#nextStreamId)) this.#nextStreamId += 2;
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 2;
    return streamId;
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#decoder.push(chunk)) this.#answer(frame);
    } catch (error) {
      this.#fail("The shim's answer could not be read", error);
      this.#socket.destroy();
    }
  }

  #answer(frame: Frame): void {
    const call = this.#pending.get(frame.streamId);
    // A late answer to a call whose waiter has left.
    if (call === undefined || frame.type !== frameType.response) return;
    const response = this.#response.decode(frame.data);
    if (response.status !== null && response.status.code !== 0) {
      call.reject(errorOfStatus(call.method, response.status));
    } else {
      call.resolve(response.payload);
    }
  }

  #fail(reason: string, cause?: unknown): void {
    this.#failure ??= new AgentError("Unavailable", reason, cause === undefined ? {} : { cause });
    for (const call of [...this.#pending.values()]) call.reject(this.#failure);
  }
}

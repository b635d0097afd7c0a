import { Worker } from "node:worker_threads";
import { SystemError } from "../common/errors.ts";
import type { AddressInfo, KernelCommand, KernelQuery, LinkInfo, NeighbourInfo, RouteInfo } from "./kernel-command.ts";
import type { KernelAnswer, KernelRequest } from "./kernel-worker-main.ts";
import type { TcpConnect } from "./tcp-connect.ts";

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

type Work = { readonly run: readonly KernelCommand[] } | { readonly query: KernelQuery } | { readonly close: true };

/**
 * The main thread's side of the kernel worker: namespaces, links, nftables, sysctls. One batch costs one message each
 * way. A worker that ends by itself fails what it had in hand; the next request starts a new one.
 */
export class KernelWorker implements AsyncDisposable {
  readonly #entry: URL;
  readonly #waiting = new Map<number, Waiter>();
  #worker: Worker | undefined;
  #lastId = 0;
  #closed = false;

  /** @param entry what the worker runs; a test's own may end it */
  constructor(entry = new URL("./kernel-worker-main.ts", import.meta.url)) {
    this.#entry = entry;
  }

  /**
   * Runs commands in order. At the first failure the rest is left undone; nothing is taken back.
   * @throws SystemError naming the step
   */
  async run(commands: readonly KernelCommand[]): Promise<void> {
    if (commands.length > 0) await this.#request({ run: commands });
  }

  /** The links of a namespace. @throws SystemError */
  async listLinks(netns: string): Promise<readonly LinkInfo[]> {
    return (await this.#request({ query: { kind: "listLinks", netns } })) as readonly LinkInfo[];
  }

  /** The addresses of a namespace. @throws SystemError */
  async listAddresses(netns: string): Promise<readonly AddressInfo[]> {
    return (await this.#request({ query: { kind: "listAddresses", netns } })) as readonly AddressInfo[];
  }

  /** The routes of all tables of a namespace, both families. @throws SystemError */
  async listRoutes(netns: string): Promise<readonly RouteInfo[]> {
    return (await this.#request({ query: { kind: "listRoutes", netns } })) as readonly RouteInfo[];
  }

  /** The neighbours a namespace knows. @throws SystemError */
  async listNeighbours(netns: string): Promise<readonly NeighbourInfo[]> {
    return (await this.#request({ query: { kind: "listNeighbours", netns } })) as readonly NeighbourInfo[];
  }

  /** What an nftables list command prints, as libnftables-json(5) has it. @throws SystemError */
  async listNftables(netns: string, command: string): Promise<unknown> {
    return this.#request({ query: { kind: "listNftables", netns, command } });
  }

  /** Begins a TCP connection from inside a namespace; the descriptor is the caller's. @throws SystemError */
  async connect(netns: string, address: string, port: number): Promise<TcpConnect> {
    return (await this.#request({ query: { kind: "connect", netns, address, port } })) as TcpConnect;
  }

  /** Those of the paths that are pins of a namespace, with its inode number. @throws SystemError */
  async inspectPins(paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
    const found = (await this.#request({ query: { kind: "inspectPins", paths } })) as Record<string, number>;
    return new Map(Object.entries(found));
  }

  /** Ends the worker after the requests in hand; later ones are refused. */
  async [Symbol.asyncDispose](): Promise<void> {
    const last = this.#worker === undefined || this.#closed ? undefined : this.#request({ close: true });
    this.#closed = true;
    await last?.catch(() => undefined);
    await this.#worker?.terminate();
  }

  #request(work: Work): Promise<unknown> {
    if (this.#closed) return Promise.reject(new SystemError("The kernel worker has been closed"));
    this.#worker ??= this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const id = ++this.#lastId;
    this.#waiting.set(id, { resolve, reject });
    const request: KernelRequest = { id, ...work };
    this.#worker.postMessage(request);
    return promise;
  }

  #start(): Worker {
    const worker = new Worker(this.#entry, { name: "kernel" });
    let failure: Error | undefined;
    worker.on("message", (answer: KernelAnswer) => this.#settle(answer));
    worker.on("error", (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    worker.on("exit", (code) => this.#abandon(worker, code, failure));
    return worker;
  }

  #settle(answer: KernelAnswer): void {
    const waiter = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("result" in answer) {
      waiter?.resolve(answer.result);
      return;
    }
    const { message, errno } = answer.error;
    waiter?.reject(new SystemError(message, errno === undefined ? {} : { errno }));
  }

  #abandon(worker: Worker, code: number, cause: Error | undefined): void {
    if (this.#worker === worker) this.#worker = undefined;
    const error = new SystemError(`The kernel worker ended with code ${code} before it answered`, { cause });
    for (const waiter of this.#waiting.values()) waiter.reject(error);
    this.#waiting.clear();
  }
}

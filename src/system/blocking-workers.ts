import { Worker } from "node:worker_threads";
import { SystemError } from "../common/errors.ts";
import { SingleFlight } from "../common/single-flight.ts";
import type { BlockingAnswer, BlockingCommand, BlockingRequest } from "./blocking-command.ts";

interface Job {
  readonly command: BlockingCommand;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
  idleTimer: NodeJS.Timeout | undefined;
}

/** How many calls may hang at a time before further ones queue up. Only clean-up queues here, never a read. */
const usualThreads = 12;
/** A thread costs some MiB, and its start 20 ms: it is kept while there may be more to do. */
const idleMs = 20_000;

/**
 * Threads for system calls that may block for seconds: unmounting what a disk has to write back first, removing trees of
 * millions of files. Neither the event loop nor libuv's pool, which log files and pipes are opened on, waits for them.
 * The same command asked for again while it runs is joined, so that retries of a stuck one take no further thread.
 */
export class BlockingWorkers {
  readonly #mostThreads: number;
  readonly #entry: URL;
  readonly #flights = new SingleFlight<void>();
  readonly #threads = new Set<Thread>();
  readonly #queue: Job[] = [];
  #lastId = 0;

  /** @param entry what a thread runs; a test's own may end it */
  constructor(mostThreads = usualThreads, entry = new URL("./blocking-worker-main.ts", import.meta.url)) {
    this.#mostThreads = mostThreads;
    this.#entry = entry;
  }

  /** @throws SystemError of the command */
  run(command: BlockingCommand): Promise<void> {
    return this.#flights.run(JSON.stringify(command), () => this.#enqueue(command));
  }

  #enqueue(command: BlockingCommand): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ command, resolve, reject });
    this.#dispatch();
    return promise;
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const thread = this.#idleThread();
      const job = thread === undefined ? undefined : this.#queue.shift();
      if (thread === undefined || job === undefined) return;
      clearTimeout(thread.idleTimer);
      thread.job = job;
      thread.worker.ref();
      const request: BlockingRequest = { id: ++this.#lastId, command: job.command };
      thread.worker.postMessage(request);
    }
  }

  #idleThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.job === undefined) return thread;
    return this.#threads.size < this.#mostThreads ? this.#start() : undefined;
  }

  #start(): Thread {
    const worker = new Worker(this.#entry, { name: "blocking" });
    const thread: Thread = { worker, job: undefined, idleTimer: undefined };
    let failure: Error | undefined;
    worker.on("message", ({ error }: BlockingAnswer) => this.#settle(thread, error));
    worker.on("error", (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    worker.on("exit", (code) => this.#abandon(thread, code, failure));
    this.#threads.add(thread);
    return thread;
  }

  #settle(thread: Thread, error: BlockingAnswer["error"]): void {
    const { job } = thread;
    thread.job = undefined;
    // An idle thread keeps nobody's process alive.
    thread.worker.unref();
    thread.idleTimer = setTimeout(() => this.#end(thread), idleMs).unref();
    if (error === undefined) job?.resolve();
    else job?.reject(new SystemError(error.message, error.errno === undefined ? {} : { errno: error.errno }));
    this.#dispatch();
  }

  #end(thread: Thread): void {
    this.#threads.delete(thread);
    void thread.worker.terminate();
  }

  #abandon(thread: Thread, code: number, cause: Error | undefined): void {
    this.#threads.delete(thread);
    const error = new SystemError(`A blocking worker ended with code ${code} before it answered`, { cause });
    thread.job?.reject(error);
    this.#dispatch();
  }
}

/** The process's own, as libuv's pool is. */
export const blockingWorkers = new BlockingWorkers();

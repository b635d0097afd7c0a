import { Worker } from "node:worker_threads";
import { within } from "../common/deadline.ts";
import { AgentError } from "../common/errors.ts";
import type { TreeUsage } from "../system/tree-usage.ts";
import type { GroupQuestion } from "./read-group.ts";
import type { UsageAnswer, UsageReadings } from "./usage-worker-main.ts";

interface Waiter {
  readonly resolve: (value: UsageReadings | TreeUsage | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** Questions that may wait at once; each is one call of a client, or the sampler's. */
const maxWaiting = 256;
/** Reading a thousand groups takes a tenth of a second. */
const readTimeoutMs = 10_000;
/** A walk of millions of files, slowed down by every question in between. */
const measureTimeoutMs = 10 * 60_000;

type Work =
  | { readonly kind: "read"; readonly groups: readonly GroupQuestion[]; readonly netns: readonly string[] }
  | { readonly kind: "measure"; readonly directory: string };

/**
 * Reads counters on a thread of their own, so that however many pods there are the event loop waits for none of them. The
 * thread comes with the first question, and anew when it ended by itself.
 */
export class UsageReader implements AsyncDisposable {
  readonly #entry: URL;
  readonly #waiting = new Map<number, Waiter>();
  #worker: Worker | undefined;
  #lastId = 0;
  #closed = false;

  /** @param entry what the thread runs; a test's own may end it */
  constructor(entry = new URL("./usage-worker-main.ts", import.meta.url)) {
    this.#entry = entry;
  }

  /**
   * Reads control groups, and links' counters in network namespaces by the paths of their pins.
   * @throws AgentError ResourceExhausted, Unavailable, DeadlineExceeded; what fails for one of them is in its own reading
   */
  async read(groups: readonly GroupQuestion[], netns: readonly string[] = []): Promise<UsageReadings> {
    const answer = this.#ask({ kind: "read", groups, netns });
    return (await within("Reading the counters", readTimeoutMs, answer)) as UsageReadings;
  }

  /**
   * Adds up what a directory tree takes, behind everything else that is asked.
   * @returns undefined when it isn't there
   * @throws AgentError ResourceExhausted, Unavailable, DeadlineExceeded, SystemFailure
   */
  async measure(directory: string): Promise<TreeUsage | undefined> {
    const answer = this.#ask({ kind: "measure", directory });
    return (await within(`Measuring "${directory}"`, measureTimeoutMs, answer)) as TreeUsage | undefined;
  }

  /** Ends the thread; what takes longer than a short reading fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    // A thread that is ended while it loads the library of system calls takes the process with it: it answers first.
    const loaded = this.#worker === undefined || this.#closed ? undefined : this.read([]);
    this.#closed = true;
    await loaded?.catch(() => undefined);
    await this.#worker?.terminate();
  }

  #ask(work: Work): Promise<UsageReadings | TreeUsage | undefined> {
    if (this.#closed) return Promise.reject(new AgentError("Unavailable", "The agent is shutting down"));
    if (this.#waiting.size >= maxWaiting) {
      const text = `${maxWaiting} questions about usage wait already: ask again later`;
      return Promise.reject(new AgentError("ResourceExhausted", text));
    }
    this.#worker ??= this.#start();
    const { promise, resolve, reject } = Promise.withResolvers<UsageReadings | TreeUsage | undefined>();
    const id = ++this.#lastId;
    this.#waiting.set(id, { resolve, reject });
    this.#worker.postMessage({ id, ...work });
    return promise;
  }

  #start(): Worker {
    const worker = new Worker(this.#entry, { name: "usage" });
    let failure: Error | undefined;
    worker.on("message", (answer: UsageAnswer) => this.#settle(answer));
    worker.on("error", (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    worker.on("exit", () => this.#abandon(worker, failure));
    return worker;
  }

  #settle(answer: UsageAnswer): void {
    const waiter = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("value" in answer) waiter?.resolve(answer.value);
    else waiter?.reject(new AgentError("SystemFailure", answer.error));
  }

  #abandon(worker: Worker, cause: Error | undefined): void {
    if (this.#worker === worker) this.#worker = undefined;
    const error = new AgentError("Unavailable", "The thread that reads counters ended before it answered", { cause });
    for (const waiter of this.#waiting.values()) waiter.reject(error);
    this.#waiting.clear();
  }
}

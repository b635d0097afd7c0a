import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { loadPackage } from "../common/load-proto.ts";
import type { Log } from "../common/log.ts";
import type { ProtoGrpcType } from "../generated/admin.ts";
import type { AdminServiceHandlers } from "../generated/podling/v1/AdminService.ts";
import type { PullProgress as PullProgressMessage } from "../generated/podling/v1/PullProgress.ts";
import type { CallContext } from "./call-context.ts";
import { type ImageCacheRpcDeps, imageCacheRpcs } from "./image-cache-rpcs.ts";
import { type ImageGcRpcDeps, imageGcRpcs } from "./image-gc-rpcs.ts";
import { LatestQueue } from "./latest-queue.ts";
import { type NetworkView, networkRpcs } from "./network-rpcs.ts";
import type { RpcObserver } from "./rpc-metrics.ts";
import { type Rpcs, serve } from "./serve.ts";

/** One step of a pull, as `src/images` reports it. */
export interface PullStep {
  readonly reference: string;
  readonly layer: string;
  readonly phase: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly error?: string;
}

export interface AdminRpcDeps {
  readonly about: {
    readonly instance: string;
    readonly version: string;
    readonly profile: string;
    readonly root: string;
    readonly state: string;
  };
  readonly images: ImageGcRpcDeps["images"] & { onPullProgress(listener: (step: PullStep) => void): Disposable };
  readonly imageCaches: ImageCacheRpcDeps["imageCaches"];
  /** The full form of a reference, as the steps have it. @throws AgentError for text that is none */
  readonly fullReference: (reference: string) => string;
  readonly network: NetworkView;
  readonly log: Log;
  readonly observe?: RpcObserver;
}

/** Steps that wait for one slow watcher: layers of all pulls together, far more than run at once. */
const watcherLimit = 4096;
/** Pulls whose state is kept for watchers that come later. */
const boardLimit = 256;

/** AdminService, to be added to the server. Disposing it ends every watch, so that the server can shut down. */
export interface AdminService extends Disposable {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export function adminService(deps: AdminRpcDeps): AdminService {
  const { podling } = loadPackage("podling/v1/admin.proto") as unknown as ProtoGrpcType;
  const definition = podling.v1.AdminService.service;
  const board = new PullBoard(deps.images);
  const caches = imageCacheRpcs(deps);
  const rpcs: Rpcs<AdminServiceHandlers> = {
    Info: () => ({ ...deps.about, pid: String(process.pid) }),
    WatchPulls: ({ reference }, context) => board.watch(wantedReferences(deps, reference), context),
    ...imageGcRpcs(deps),
    ...networkRpcs(deps),
    ...caches.rpcs,
  };
  return {
    definition,
    implementation: serve<AdminServiceHandlers>(definition, rpcs, deps.log, deps.observe),
    [Symbol.dispose]: () => {
      board[Symbol.dispose]();
      caches[Symbol.dispose]();
    },
  };
}

/** The latest step of every layer of the running pulls, and those who watch them. */
class PullBoard implements Disposable {
  readonly #running = new Map<string, Map<string, PullStep>>();
  readonly #watchers = new Set<(step: PullStep) => void>();
  readonly #queues = new Set<LatestQueue<PullStep>>();
  readonly #subscription: Disposable;

  constructor(images: AdminRpcDeps["images"]) {
    this.#subscription = images.onPullProgress((step) => this.#take(step));
  }

  async *watch(wanted: ReadonlySet<string>, { signal }: CallContext): AsyncGenerator<PullProgressMessage, void> {
    const queue = new LatestQueue<PullStep>(watcherLimit);
    const push = (step: PullStep) => {
      if (wanted.size === 0 || wanted.has(step.reference)) queue.push(`${step.reference} ${step.layer}`, step);
    };
    const close = () => queue.close();
    for (const steps of this.#running.values()) for (const step of steps.values()) push(step);
    this.#watchers.add(push);
    this.#queues.add(queue);
    signal.addEventListener("abort", close, { once: true });
    if (signal.aborted) close();
    try {
      yield {};
      for await (const step of queue.values()) {
        // A watcher that goes away ends its call; nothing failed.
        if (signal.aborted) return;
        yield encodeStep(step);
      }
    } finally {
      this.#watchers.delete(push);
      this.#queues.delete(queue);
      signal.removeEventListener("abort", close);
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const queue of this.#queues) queue.close();
  }

  #take(step: PullStep): void {
    const steps = this.#running.get(step.reference) ?? new Map<string, PullStep>();
    steps.set(step.layer, step);
    this.#running.set(step.reference, steps);
    const pullEnded = step.layer === "" && (step.phase === "done" || step.phase === "failed");
    if (pullEnded) this.#running.delete(step.reference);
    for (const oldest of this.#running.keys()) {
      if (this.#running.size <= boardLimit) break;
      this.#running.delete(oldest);
    }
    for (const push of this.#watchers) push(step);
  }
}

/** The forms in which a watched pull may be named; empty: every pull. */
function wantedReferences({ fullReference }: AdminRpcDeps, reference: string): ReadonlySet<string> {
  if (reference === "") return new Set();
  try {
    return new Set([reference, fullReference(reference)]);
  } catch {
    // Whoever pulls this will hear what is wrong with it.
    return new Set([reference]);
  }
}

function encodeStep(step: PullStep): PullProgressMessage {
  return {
    reference: step.reference,
    layer: step.layer,
    phase: step.phase,
    done_bytes: String(step.doneBytes),
    total_bytes: String(step.totalBytes),
    error: step.error ?? "",
  };
}

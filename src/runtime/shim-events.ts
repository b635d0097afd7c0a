import { type AnyMessage, codecOf, type TimestampMessage, timestampMs } from "./shim-protocol.ts";
import { TtrpcServer } from "./ttrpc-server.ts";

/**
 * What a shim reports of its own accord. Both are hints: events can be lost or repeated, so `Shim.wait` is the source
 * of exits and the cgroup's counter that of out-of-memory kills.
 */
export type ShimEvent =
  | { readonly kind: "oom"; readonly containerId: string }
  | {
      readonly kind: "exit";
      readonly containerId: string;
      /** Empty for the container's init process. */
      readonly execId: string;
      readonly pid: number;
      readonly exitCode: number;
      readonly exitedAtMs: number;
    };

export type ShimEventListener = (event: ShimEvent) => void;

interface ForwardRequest {
  readonly envelope: { readonly namespace: string; readonly topic: string; readonly event: AnyMessage | null } | null;
}

interface TaskExit {
  readonly container_id: string;
  readonly id: string;
  readonly pid: number;
  readonly exit_status: number;
  readonly exited_at: TimestampMessage | null;
}

/** Decodes containerd.services.events.ttrpc.v1.ForwardRequest. @returns undefined for topics nobody here needs */
export function decodeShimEvent(payload: Uint8Array, namespace: string): ShimEvent | undefined {
  const { envelope } = codecOf<ForwardRequest>("containerd.services.events.ttrpc.v1.ForwardRequest").decode(payload);
  if (envelope === null || envelope.event === null || envelope.namespace !== namespace) return undefined;
  if (envelope.topic === "/tasks/oom") {
    const oom = codecOf<{ readonly container_id: string }>("containerd.events.TaskOOM").decode(envelope.event.value);
    return { kind: "oom", containerId: oom.container_id };
  }
  if (envelope.topic !== "/tasks/exit") return undefined;
  const exit = codecOf<TaskExit>("containerd.events.TaskExit").decode(envelope.event.value);
  return {
    kind: "exit",
    containerId: exit.container_id,
    execId: exit.id === exit.container_id ? "" : exit.id,
    pid: exit.pid,
    exitCode: exit.exit_status,
    exitedAtMs: timestampMs(exit.exited_at),
  };
}

/** Listens on the address that shims publish to, and hands what they say to every subscriber. */
export class ShimEvents implements AsyncDisposable {
  readonly #listeners = new Set<ShimEventListener>();
  readonly #server: TtrpcServer;

  /**
   * @param namespace events of other namespaces are ignored
   * @param onError told of undecodable events and of failing listeners
   */
  constructor(namespace: string, onError: (error: unknown) => void) {
    const forward = (payload: Uint8Array) => {
      const event = decodeShimEvent(payload, namespace);
      if (event === undefined) return;
      for (const listener of [...this.#listeners]) listener(event);
    };
    this.#server = new TtrpcServer(new Map([["containerd.services.events.ttrpc.v1.Events/Forward", forward]]), onError);
  }

  /** @throws AgentError SystemFailure */
  listen(path: string): Promise<void> {
    return this.#server.listen(path);
  }

  /** Disposing the result ends the subscription. */
  subscribe(listener: ShimEventListener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server[Symbol.asyncDispose]();
  }
}

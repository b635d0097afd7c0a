import { mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { delay } from "../common/deadline.ts";
import { errnoOf } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import { parseSandboxId, type SandboxId } from "../common/ids.ts";
import type { Log } from "../common/log.ts";
import { removeBundle, writeBundle } from "../runtime/bundle.ts";
import { planShimConfig } from "../runtime/plan-pid-holder.ts";
import type { RuntimeHandler } from "../runtime/runtime-handler.ts";
import type { Shim } from "../runtime/shim.ts";
import type { ShimLauncher } from "../runtime/shim-launcher.ts";
import { type HostLayout, sandboxPaths } from "./host-paths.ts";

export interface WarmShimsDeps {
  readonly launcher: ShimLauncher;
  readonly layout: HostLayout;
  /** Whose shim is kept ready; handlers with the same shim program share it. */
  readonly handler: RuntimeHandler;
  /** How many are kept ready; 0: none. */
  readonly size: number;
  readonly newId: () => string;
  readonly log: Log;
}

/** A shim that waits for its pod, whose id is settled already. */
export interface WarmShim extends Disposable {
  readonly id: SandboxId;
  /**
   * Hands it over, with the bundle it runs in moved to the sandbox's place. The sandbox must have its record by now. What is never
   * claimed goes back when this is disposed.
   */
  claim(): Shim;
}

/** What is being made in the background waits until requests that follow one another closely have been answered. */
const refillDelayMs = 20;
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

/**
 * Shims that are launched ahead of the pods that will use them: launching one takes 20 to 40 ms of two processes' starts, which
 * nobody has to wait for that way. One that waits has a directory of its own and no record; what an agent left there when it ended
 * is certainly nobody's, and the next one takes it away before it makes others.
 */
export class WarmShims implements AsyncDisposable {
  readonly #deps: WarmShimsDeps;
  readonly #directory: string;
  readonly #ready = new Map<SandboxId, Shim>();
  readonly #stop = new AbortController();
  #filling: Promise<void> = Promise.resolve();
  #wake = Promise.withResolvers<void>();

  constructor(deps: WarmShimsDeps) {
    this.#deps = deps;
    this.#directory = join(deps.layout.state, "warm");
  }

  /** Begins to keep shims ready. Never throws: without them pods launch their own. */
  start(): void {
    this.#filling = this.#keepFull();
  }

  /** How many are ready now. */
  get count(): number {
    return this.#ready.size;
  }

  /** @returns one for a pod of the handler, or undefined when none is ready or the handler has another shim */
  take(handler: RuntimeHandler | undefined): WarmShim | undefined {
    if (handler?.shim !== this.#deps.handler.shim) return undefined;
    const [entry] = this.#ready;
    if (entry === undefined) return undefined;
    const [id, shim] = entry;
    this.#ready.delete(id);
    let claimed = false;
    return {
      id,
      claim: () => {
        claimed = true;
        this.#wake.resolve();
        this.#hand(id);
        failpoint("run.shim-claimed");
        return shim;
      },
      [Symbol.dispose]: () => {
        if (!claimed && !this.#stop.signal.aborted) this.#ready.set(id, shim);
      },
    };
  }

  /** Ends what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wake.resolve();
    await this.#filling;
    for (const id of [...this.#ready.keys()]) await this.#discard(id);
  }

  #hand(id: SandboxId): void {
    const { bundle } = sandboxPaths(this.#deps.layout, id, "");
    mkdirSync(join(bundle, ".."), { recursive: true, mode: 0o700 });
    renameSync(this.#bundle(id), bundle);
    this.#deps.launcher.moved(this.#bundle(id), bundle);
  }

  async #keepFull(): Promise<void> {
    const { log, size } = this.#deps;
    let pauseMs = firstRetryMs;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#removeLeftovers();
        while (this.#ready.size < size && !this.#stop.signal.aborted) {
          await delay(refillDelayMs, this.#stop.signal);
          await this.#launchOne();
          pauseMs = firstRetryMs;
        }
        await this.#wake.promise;
        this.#wake = Promise.withResolvers();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        log.warn({ error, pauseMs }, "no shim can be launched ahead of its pod now");
        await delay(pauseMs, this.#stop.signal).catch(() => undefined);
        pauseMs = Math.min(pauseMs * 2, longestRetryMs);
      }
    }
  }

  async #launchOne(): Promise<void> {
    const { handler, launcher, log, newId } = this.#deps;
    const id = parseSandboxId(newId());
    const bundle = this.#bundle(id);
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#discard(id));
    writeBundle(bundle, planShimConfig({ id, name: "", namespace: "", uid: "" }));
    failpoint("warm.bundle-written");
    const shim = await launcher.connect(await launcher.launch({ id, bundle, handler }));
    failpoint("warm.shim-ready");
    void shim.closed.then(() => {
      if (!this.#ready.delete(id)) return;
      log.warn({ sandboxId: id }, "a shim that waited for a pod has ended");
      this.#wake.resolve();
    });
    this.#ready.set(id, shim);
    undo.move();
  }

  /** What lies here and does not wait: left by an earlier agent, or by a shim that ended. */
  async #removeLeftovers(): Promise<void> {
    for (const name of this.#entries()) {
      if (!this.#ready.has(parseSandboxId(name))) await this.#discard(parseSandboxId(name));
    }
  }

  #entries(): readonly string[] {
    try {
      return readdirSync(this.#directory).filter((name) => /^[0-9a-f]{64}$/.test(name));
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw error;
    }
  }

  async #discard(id: SandboxId): Promise<void> {
    this.#ready.delete(id);
    await this.#deps.launcher.kill(id, this.#bundle(id));
    await removeBundle(this.#bundle(id));
  }

  #bundle(id: SandboxId): string {
    return join(this.#directory, id);
  }
}

import { within } from "../common/deadline.ts";
import { AgentError } from "../common/errors.ts";
import type { ContainerId, SandboxId } from "../common/ids.ts";
import type { Log } from "../common/log.ts";
import type { RuntimeHandler } from "../runtime/runtime-handler.ts";
import type { Shim } from "../runtime/shim.ts";
import type { ShimAddress, ShimLauncher } from "../runtime/shim-launcher.ts";
import { findShims } from "../runtime/shim-process.ts";
import { deleteTask } from "./delete-task.ts";
import { type HostLayout, type SandboxPaths, sandboxPaths, shimNamespace } from "./host-paths.ts";
import { holdPidNamespace } from "./pid-namespace.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

export interface PodShimsDeps {
  readonly launcher: ShimLauncher;
  readonly layout: HostLayout;
  readonly handlers: ReadonlyMap<string, RuntimeHandler>;
  readonly log: Log;
}

/** How long a shim may take to leave by itself before it is killed. */
const leaveTimeoutMs = 5_000;
/** A pod's first container is seldom created sooner; a pod that only comes and goes costs no shim at all. */
const launchDelayMs = 30;
/** A shim answers in less than a millisecond; one that is given up for slow is killed, so it gets a thousand times that. */
const answerTimeoutMs = 3_000;

/**
 * The one shim of each pod: launched once, shared by the pod's containers, found again after a restart. The pod's shared
 * PID namespace comes and goes with it.
 */
export class PodShims {
  readonly #deps: PodShimsDeps;
  readonly #shims = new Map<SandboxId, Promise<Shim>>();
  /** Of pods with a shared PID namespace: their shims once it is there. */
  readonly #holding = new Map<SandboxId, Promise<Shim>>();
  readonly #ending = new Set<SandboxId>();
  /** Pods whose shim has certainly left: looking for it again would read every process's arguments. */
  readonly #gone = new Set<SandboxId>();
  /** Pods whose shim is to be launched in a moment. */
  readonly #soon = new Map<SandboxId, NodeJS.Timeout>();
  /** Pods whose shim runs and did not answer when it was looked for. */
  readonly #silent = new Set<SandboxId>();
  #onLost: (id: SandboxId) => void = () => undefined;

  constructor(deps: PodShimsDeps) {
    this.#deps = deps;
  }

  /** @param listener told of each pod whose shim, or shared PID namespace, ended without being asked to */
  onLost(listener: (id: SandboxId) => void): void {
    this.#onLost = listener;
  }

  /** Takes up a shim that was launched before the pod was asked for. */
  adopt(id: SandboxId, shim: Shim): void {
    void this.#keep(id, Promise.resolve(shim));
  }

  /**
   * Launches the pod's shim a moment later, when the answer to its caller is on its way; at once when the shim is needed
   * sooner, and never when the pod is stopped before.
   */
  prepareSoon(record: SandboxRecord): void {
    const timer = setTimeout(() => {
      this.#soon.delete(record.id);
      this.prepare(record);
    }, launchDelayMs);
    this.#soon.set(record.id, timer.unref());
  }

  /** Launches the pod's shim without waiting for it. Whoever needs it first waits, and hears of a failure. */
  prepare(record: SandboxRecord): void {
    this.ensure(record).catch((error: unknown) => {
      this.#deps.log.warn(
        { sandboxId: record.id, error },
        "shim can't be launched ahead; the first container tries again",
      );
    });
  }

  /**
   * The pod's shim, launched if it isn't running, with the pod's PID namespace held.
   * @throws AgentError FailedPrecondition or Unavailable, with the shim's own words; the next call tries again
   */
  ensure(record: SandboxRecord): Promise<Shim> {
    this.#forgetSoon(record.id);
    this.#gone.delete(record.id);
    if (this.#ending.has(record.id)) {
      return Promise.reject(new AgentError("Unavailable", `The shim of pod sandbox "${record.id}" is being ended`));
    }
    if (this.#silent.has(record.id)) {
      // A second shim beside it would run the pod's next containers where nobody looks for them.
      return Promise.reject(new AgentError("Unavailable", `The shim of pod sandbox "${record.id}" does not answer`));
    }
    const shim = this.#shims.get(record.id) ?? this.#keep(record.id, this.#launch(record));
    return record.spec.namespaces.pid === "pod" ? this.#withPidNamespace(record, shim) : shim;
  }

  /** The pod's shim if this agent has one, running or on its way. */
  connected(id: SandboxId): Promise<Shim> | undefined {
    return this.#shims.get(id);
  }

  /**
   * Finds the shim that an earlier agent launched; a connection there is already is kept.
   * @returns "silent" when it runs and doesn't answer, "dead" when the process is certainly gone, "none" when no launch
   *   was recorded and none runs
   */
  async reconnect(record: SandboxRecord): Promise<"answers" | "silent" | "dead" | "none"> {
    const { id } = record;
    const { launcher } = this.#deps;
    const known = this.#shims.get(id);
    const runs = () => findShims(shimNamespace(this.#deps.layout)).some((shim) => shim.id === id);
    try {
      if (known === undefined) {
        // A record that was lost, or not yet written, is no proof that nothing runs.
        const address = launcher.load(this.#bundle(record)) ?? (runs() ? await this.#locate(record) : undefined);
        if (address === undefined) return "none";
        await this.#keep(id, launcher.connect(address));
      } else {
        await (await known).ping(id);
      }
      this.#silent.delete(id);
      return "answers";
    } catch (error) {
      if (!runs()) return "dead";
      this.#deps.log.warn({ sandboxId: id, error }, "the pod's shim runs and does not answer");
      this.#silent.add(id);
      return "silent";
    }
  }

  /** Whether the pod's shim answers now; "none" when there is none that this agent would know of. */
  async ask(id: SandboxId): Promise<"answers" | "silent" | "none"> {
    if (this.#silent.has(id)) return "silent";
    try {
      const shim = await this.#shims.get(id);
      if (shim === undefined) return "none";
      await shim.ping(id, answerTimeoutMs);
      return "answers";
    } catch {
      return this.#shims.has(id) ? "silent" : "none";
    }
  }

  /** The options every task of the pod is created with. */
  taskOptions(record: SandboxRecord): ReturnType<ShimLauncher["options"]> {
    return this.#deps.launcher.options(this.#handler(record));
  }

  /**
   * Ends the pod's shim. Its containers' tasks must be deleted. Ended already counts as done.
   * A shim that doesn't leave by itself is killed.
   */
  async shutDown(record: SandboxRecord): Promise<void> {
    const { launcher } = this.#deps;
    const untouched = this.#forgetSoon(record.id) && !this.#shims.has(record.id);
    if (untouched) this.#gone.add(record.id);
    if (this.#gone.has(record.id)) return;
    this.#ending.add(record.id);
    try {
      if ((await this.ask(record.id)) === "answers" && (await this.#askToLeave(record))) {
        this.#gone.add(record.id);
        return;
      }
      await launcher.kill(record.id, this.#bundle(record));
      // What it still held, such as the pod's PID namespace, dies by the runtime's own forced delete.
      await launcher.cleanUpDead({ id: record.id, bundle: this.#bundle(record), handler: this.#handler(record) });
      this.#gone.add(record.id);
    } finally {
      this.#shims.delete(record.id);
      this.#holding.delete(record.id);
      this.#ending.delete(record.id);
      this.#silent.delete(record.id);
    }
  }

  /** The pod is about to be forgotten; its shim must have been shut down. */
  forget(id: SandboxId): void {
    this.#gone.delete(id);
  }

  /** Ends a container whose shim is lost: first the shim for certain, then whatever it ran. */
  async cleanUpLost(record: SandboxRecord, id: ContainerId, bundle: string): Promise<void> {
    await this.#deps.launcher.kill(record.id, this.#bundle(record));
    await this.deleteByRuntime(record, id, bundle);
  }

  /**
   * Ends a container by the runtime alone, beside a shim that does not answer, or has forgotten it. The pod's other
   * containers are left alone.
   */
  async deleteByRuntime(record: SandboxRecord, id: ContainerId, bundle: string): Promise<void> {
    await this.#deps.launcher.cleanUpDead({ id, bundle, handler: this.#handler(record) });
  }

  /** Whether the runtime has a container of this id, whatever became of its shim. */
  runtimeKnows(record: SandboxRecord, id: ContainerId): boolean {
    const handler = this.#deps.handlers.get(record.handler);
    return handler !== undefined && this.#deps.launcher.runtimeKnows(handler, id);
  }

  /** @returns whether a launch was still to come */
  #forgetSoon(id: SandboxId): boolean {
    clearTimeout(this.#soon.get(id));
    return this.#soon.delete(id);
  }

  #locate(record: SandboxRecord): Promise<ShimAddress> {
    return this.#deps.launcher.locate(record.id, this.#bundle(record));
  }

  async #askToLeave(record: SandboxRecord): Promise<boolean> {
    try {
      const shim = await this.#shims.get(record.id);
      if (shim === undefined) return false;
      if (record.spec.namespaces.pid === "pod") await deleteTask(shim, record.id);
      await shim.shutdown(record.id);
      await within("The shim's leaving", leaveTimeoutMs, shim.closed);
      return true;
    } catch (error) {
      this.#deps.log.warn({ sandboxId: record.id, error }, "shim doesn't leave by itself and is killed");
      return false;
    }
  }

  #withPidNamespace(record: SandboxRecord, shim: Promise<Shim>): Promise<Shim> {
    const known = this.#holding.get(record.id);
    if (known !== undefined) return known;
    const holding = shim.then(async (connected) => {
      const { bundle, pidNamespace: pin } = this.#paths(record);
      await holdPidNamespace(connected, { id: record.id, bundle, pin, options: this.taskOptions(record) });
      // A rejection is the connection's end, which is reported elsewhere.
      connected.wait(record.id).then(
        () => this.#lost(record.id, holding),
        () => undefined,
      );
      return connected;
    });
    this.#holding.set(record.id, holding);
    holding.catch(() => {
      if (this.#holding.get(record.id) === holding) this.#holding.delete(record.id);
    });
    return holding;
  }

  #lost(id: SandboxId, holding: Promise<Shim>): void {
    if (this.#holding.get(id) === holding && !this.#ending.has(id)) this.#onLost(id);
  }

  async #launch(record: SandboxRecord): Promise<Shim> {
    const { launcher } = this.#deps;
    const request = { id: record.id, bundle: this.#bundle(record), handler: this.#handler(record) };
    return launcher.connect(await launcher.launch(request));
  }

  /** Keeps one promise for all callers; a failed one is forgotten, a lost shim is reported. */
  #keep(id: SandboxId, shim: Promise<Shim>): Promise<Shim> {
    const kept = shim.then((connected) => {
      void connected.closed.then(() => {
        if (this.#shims.get(id) !== kept) return;
        this.#shims.delete(id);
        this.#holding.delete(id);
        if (!this.#ending.has(id)) this.#onLost(id);
      });
      return connected;
    });
    this.#shims.set(id, kept);
    kept.catch(() => {
      if (this.#shims.get(id) === kept) this.#shims.delete(id);
    });
    return kept;
  }

  #handler(record: SandboxRecord): RuntimeHandler {
    const handler = this.#deps.handlers.get(record.handler);
    if (handler !== undefined) return handler;
    throw new AgentError(
      "FailedPrecondition",
      `Pod sandbox "${record.id}" was made for runtime handler "${record.handler}", which is no longer configured`,
    );
  }

  #bundle(record: SandboxRecord): string {
    return this.#paths(record).bundle;
  }

  #paths(record: SandboxRecord): SandboxPaths {
    return sandboxPaths(this.#deps.layout, record.id, record.spec.cgroupParent);
  }
}

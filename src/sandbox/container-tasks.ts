import type { ContainerId } from "../common/ids.ts";
import type { ContainerIo } from "../runtime/container-io.ts";

/** What the agent holds in memory of a container whose process runs or has just ended. */
export interface LiveTask {
  readonly io: ContainerIo;
  /**
   * Resolves once the exit is recorded, with whether the shim deleted the task; never rejects. Open for as long as the
   * shim is silent.
   */
  readonly exited: Promise<boolean>;
  /** Whether the shim is known to have deleted the task. */
  deleted: boolean;
  /** Resolves with `exited`, or when the end was recorded without the shim. */
  readonly ended: Promise<void>;
  /** Set once the stop signal went out, for it goes out only once. */
  stopSignalSent: boolean;
}

/** The live tasks of this agent process, rebuilt at start from records and shims. */
export class ContainerTasks {
  readonly #tasks = new Map<ContainerId, LiveTask>();
  readonly #giveUps = new Map<ContainerId, () => void>();

  add(id: ContainerId, task: Pick<LiveTask, "io" | "exited">): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const ended = Promise.race([task.exited.then(() => undefined), promise]);
    const live: LiveTask = { ...task, ended, deleted: false, stopSignalSent: false };
    this.#tasks.set(id, live);
    void task.exited.then((deleted) => {
      live.deleted = deleted;
    });
    this.#giveUps.set(id, resolve);
  }

  /** Tells those who wait for the container's end that it is recorded, though its shim has said nothing. */
  giveUp(id: ContainerId): void {
    this.#giveUps.get(id)?.();
  }

  get(id: ContainerId): LiveTask | undefined {
    return this.#tasks.get(id);
  }

  /** Lets go of the container's pipes and log. A container without a live task is fine. */
  async forget(id: ContainerId): Promise<void> {
    const task = this.#tasks.get(id);
    this.#tasks.delete(id);
    this.#giveUps.delete(id);
    await task?.io.remove();
  }

  /** Writes what was read into the logs and closes them, for the agent is about to end; the containers go on. */
  async close(): Promise<void> {
    await Promise.all([...this.#tasks.values()].map(({ io }) => io.close()));
  }
}

import type { ContainerId } from "../common/ids.ts";
import type { ContainerIo } from "../runtime/container-io.ts";

/** What the agent holds in memory of a container whose process runs or has just ended. */
export interface LiveTask {
  readonly io: ContainerIo;
  /** Resolves once the exit is recorded; never rejects. */
  readonly exited: Promise<void>;
  /** Set once the stop signal went out, for it goes out only once. */
  stopSignalSent: boolean;
}

/** The live tasks of this agent process, rebuilt at start from records and shims. */
export class ContainerTasks {
  readonly #tasks = new Map<ContainerId, LiveTask>();

  add(id: ContainerId, task: LiveTask): void {
    this.#tasks.set(id, task);
  }

  get(id: ContainerId): LiveTask | undefined {
    return this.#tasks.get(id);
  }

  /** Lets go of the container's pipes and log. A container without a live task is fine. */
  async forget(id: ContainerId): Promise<void> {
    const task = this.#tasks.get(id);
    this.#tasks.delete(id);
    await task?.io.remove();
  }

  /** Writes what was read into the logs and closes them, for the agent is about to end; the containers go on. */
  async close(): Promise<void> {
    await Promise.all([...this.#tasks.values()].map(({ io }) => io.close()));
  }
}

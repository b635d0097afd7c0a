import type { ContainerId, SandboxId } from "../common/ids.ts";

/**
 * Pods that are being looked at after a start. The agent serves meanwhile; whoever wants to change one of these pods, or
 * something in it, waits for its own pod and for no other.
 */
export class PodRecoveries {
  readonly #running = new Map<SandboxId, Promise<void>>();
  readonly #unheard = new Set<ContainerId>();

  /** @param look the first look at the pod; it must not reject */
  begin(id: SandboxId, look: Promise<void>): void {
    const shown = look.finally(() => this.#running.delete(id));
    this.#running.set(id, shown);
  }

  /** Resolves when the pod has been looked at; at once when it needs no look, or none any more. */
  async settled(id: SandboxId): Promise<void> {
    await this.#running.get(id);
  }

  /** Pods that wait for their first look. */
  get count(): number {
    return this.#running.size;
  }

  /** @param unheard whether the container's process has gone while its shim, which alone knows how, is silent */
  setUnheard(id: ContainerId, unheard: boolean): void {
    if (unheard) this.#unheard.add(id);
    else this.#unheard.delete(id);
  }

  isUnheard(id: ContainerId): boolean {
    return this.#unheard.has(id);
  }
}

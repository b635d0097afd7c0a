import type { Socket } from "node:net";
import type { SandboxId } from "../common/ids.ts";

/** Connections into pods that the agent holds open; each keeps its pod's network namespace alive. */
export class PodConnections {
  readonly #open = new Map<SandboxId, Set<Socket>>();

  add(id: SandboxId, socket: Socket): void {
    const sockets = this.#open.get(id) ?? new Set();
    this.#open.set(id, sockets.add(socket));
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0 && this.#open.get(id) === sockets) this.#open.delete(id);
    });
  }

  /** Ends all of a pod's. */
  end(id: SandboxId): void {
    for (const socket of this.#open.get(id) ?? []) socket.destroy();
  }
}

import type { Socket } from "node:net";
import { AgentError, errorText } from "../common/errors.ts";
import { hostNetns } from "../system/kernel-command.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import { connectInNetns } from "../system/netns-connection.ts";

const connectTimeoutMs = 10_000;

/** Opens connections to the ports that a pod's processes listen on, as the pod itself would. */
export class PodDialer {
  readonly #kernel: KernelWorker;

  constructor(kernel: KernelWorker) {
    this.#kernel = kernel;
  }

  /**
   * Connects to localhost: over IPv4, or if nobody listens there, over IPv6.
   * @param netns path of the namespace's pin; undefined: the host's
   * @throws AgentError Unavailable, with both refusals
   */
  async connect(netns: string | undefined, port: number): Promise<Socket> {
    const refusals: string[] = [];
    for (const address of ["127.0.0.1", "::1"]) {
      try {
        return await connectInNetns(this.#kernel, netns ?? hostNetns, address, port, connectTimeoutMs);
      } catch (error) {
        refusals.push(errorText(error));
      }
    }
    throw new AgentError("Unavailable", `Can't connect to port ${port} of the pod: ${refusals.join("; ")}`);
  }
}

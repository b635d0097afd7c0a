import { AgentError } from "../common/errors.ts";

const windowMs = 120_000;
const minBytesPerWindow = 120 * 1024;

/**
 * Ends transfers that trickle: a host that sends a byte now and then passes every stall timeout, yet never finishes.
 * Only time spent waiting for the network counts; a busy consumer is not the host's fault.
 */
export class RateWatch {
  #waitedMs = 0;
  #bytes = 0;

  /** @throws AgentError RegistryUnavailable when two minutes of waiting brought less than 1 KiB/s */
  add(bytes: number, waitedMs: number): void {
    this.#waitedMs += waitedMs;
    this.#bytes += bytes;
    if (this.#waitedMs < windowMs) return;
    if (this.#bytes < minBytesPerWindow) {
      throw new AgentError("RegistryUnavailable", `The host sent ${this.#bytes} bytes in ${windowMs / 1000} seconds`);
    }
    this.#waitedMs = 0;
    this.#bytes = 0;
  }
}

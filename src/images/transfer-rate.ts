import { AgentError } from "../common/errors.ts";
import type { TransferLimits } from "./blob-source.ts";

/**
 * Ends transfers that trickle: a host that sends a byte now and then passes every stall timeout, yet never finishes.
 * Only time spent waiting for the network counts; a busy consumer is not the host's fault.
 */
export class RateWatch {
  readonly #limits: Pick<TransferLimits, "rateWindowMs" | "minBytesPerSecond">;
  #waitedMs = 0;
  #bytes = 0;

  constructor(limits: Pick<TransferLimits, "rateWindowMs" | "minBytesPerSecond">) {
    this.#limits = limits;
  }

  /** @throws AgentError RegistryUnavailable when a whole window of waiting brought less than the least rate */
  add(bytes: number, waitedMs: number): void {
    const { rateWindowMs, minBytesPerSecond } = this.#limits;
    this.#waitedMs += waitedMs;
    this.#bytes += bytes;
    if (this.#waitedMs < rateWindowMs) return;
    if (this.#bytes * 1000 < minBytesPerSecond * rateWindowMs) {
      throw new AgentError(
        "RegistryUnavailable",
        `The host sent ${this.#bytes} bytes in ${rateWindowMs / 1000} seconds`,
      );
    }
    this.#waitedMs = 0;
    this.#bytes = 0;
  }
}

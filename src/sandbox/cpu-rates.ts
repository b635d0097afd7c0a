/** Two readings closer than this give no rate worth telling. */
const shortestMs = 500;

interface Series {
  readonly usageNs: bigint;
  readonly atMs: number;
  /** CPU nanoseconds a second between this reading and the one before. */
  readonly nanoCores: bigint | undefined;
}

/**
 * Turns readings of ever growing CPU times into rates. One reading is kept for each group, whoever asked for it: the
 * sampler, which sees to it that there is one, or a client.
 */
export class CpuRates {
  readonly #series = new Map<string, Series>();

  /**
   * Takes a reading in.
   * @returns CPU nanoseconds a second since the reading before; undefined for the first one. A reading that comes too soon
   *   after another gets that one's rate.
   */
  take(key: string, usageNs: bigint, atMs: number): bigint | undefined {
    const before = this.#series.get(key);
    // A counter that went back is that of another group of this name.
    if (before === undefined || usageNs < before.usageNs) {
      this.#series.set(key, { usageNs, atMs, nanoCores: undefined });
      return undefined;
    }
    const elapsedMs = atMs - before.atMs;
    if (elapsedMs < 0) this.#series.delete(key);
    if (elapsedMs < shortestMs) return before.nanoCores;
    const nanoCores = BigInt(Math.round((Number(usageNs - before.usageNs) * 1000) / elapsedMs));
    this.#series.set(key, { usageNs, atMs, nanoCores });
    return nanoCores;
  }

  /** Forgets all but these. */
  retain(keys: ReadonlySet<string>): void {
    for (const key of this.#series.keys()) if (!keys.has(key)) this.#series.delete(key);
  }
}

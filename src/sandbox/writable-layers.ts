import { delay } from "../common/deadline.ts";
import { errorText } from "../common/errors.ts";
import type { Log } from "../common/log.ts";

/** What a container has written to its root file system, as of a moment that may be a while ago. */
export interface LayerUsage {
  readonly usedBytes: number;
  readonly inodes: number;
  /** Milliseconds since the epoch. */
  readonly measuredAtMs: number;
}

export interface WritableLayer {
  readonly containerId: string;
  readonly directory: string;
}

/** What walks a tree; undefined: it isn't there. */
export type MeasureTree = (
  directory: string,
) => Promise<{ readonly usedBytes: number; readonly inodes: number } | undefined>;

interface Entry {
  readonly usage: LayerUsage | undefined;
  readonly measuredAt: number;
  readonly nextAt: number;
}

/** Containerd's own figure. */
const freshForMs = 10_000;
/** A layer that takes long to walk is walked less often: at most a twentieth of one core goes into this. */
const restFactor = 20;

/**
 * Knows how much disk containers' writable layers take, without making anybody wait for a walk over them: figures have an
 * age, and those that are stale are measured anew in the background, one layer at a time.
 */
export class WritableLayers {
  readonly #measure: MeasureTree;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #waiting = new Map<string, string>();
  #round: Promise<void> | undefined;

  constructor(measure: MeasureTree, log: Log) {
    this.#measure = measure;
    this.#log = log;
  }

  get(containerId: string): LayerUsage | undefined {
    return this.#entries.get(containerId)?.usage;
  }

  /**
   * Has the stale ones of these measured. Resolves at once when each has a figure, stale or not; otherwise when the first
   * measurement is through, or at the latest after the time.
   */
  async refresh(layers: readonly WritableLayer[], patienceMs: number): Promise<void> {
    const now = performance.now();
    for (const { containerId, directory } of layers) {
      if ((this.#entries.get(containerId)?.nextAt ?? 0) <= now) this.#waiting.set(containerId, directory);
    }
    const isNew = layers.some(({ containerId }) => !this.#entries.has(containerId));
    const round = this.#start();
    if (!isNew || round === undefined) return;
    const patience = new AbortController();
    await Promise.race([round, delay(patienceMs, patience.signal).catch(() => undefined)]);
    patience.abort();
  }

  /** Forgets all but these containers. */
  retain(containerIds: ReadonlySet<string>): void {
    for (const id of this.#entries.keys()) if (!containerIds.has(id)) this.#entries.delete(id);
    for (const id of this.#waiting.keys()) if (!containerIds.has(id)) this.#waiting.delete(id);
  }

  #start(): Promise<void> | undefined {
    if (this.#waiting.size === 0) return this.#round;
    this.#round ??= this.#measureWaiting().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  async #measureWaiting(): Promise<void> {
    for (const [containerId, directory] of this.#waiting) {
      this.#waiting.delete(containerId);
      this.#entries.set(containerId, await this.#measureOne(containerId, directory));
    }
  }

  async #measureOne(containerId: string, directory: string): Promise<Entry> {
    const startedAt = performance.now();
    let usage = this.get(containerId);
    try {
      const measured = await this.#measure(directory);
      usage = measured === undefined ? undefined : { ...measured, measuredAtMs: Date.now() };
    } catch (error) {
      this.#log.warn({ containerId, error: errorText(error) }, "writable layer can't be measured");
    }
    const measuredAt = performance.now();
    return { usage, measuredAt, nextAt: measuredAt + Math.max(freshForMs, restFactor * (measuredAt - startedAt)) };
  }
}

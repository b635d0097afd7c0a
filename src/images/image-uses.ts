import type { Digest } from "../common/ids.ts";
import { field, malformed, readDigest, readObject, readSize, readText } from "./json-document.ts";

/** What is remembered of an image's use from one agent to the next. */
export interface ImageUseRecord {
  readonly id: Digest;
  /** How long nothing has used it, as far as agents watched. */
  readonly idleMs: number;
  /** Until when it must not be collected, ISO 8601; "": no lease. */
  readonly leasedUntil: string;
}

/** The durable side. */
export interface ImageUseTable {
  put(id: string, record: ImageUseRecord): void;
  delete(id: string): void;
  list(onBad: (id: string, error: unknown) => void): readonly ImageUseRecord[];
}

export interface ImageUsesDependencies {
  readonly table: ImageUseTable;
  /** Makes the writes of the body commit together. */
  readonly transaction: (body: () => void) => void;
  /** A clock that nobody can set. */
  readonly monotonicMs: () => number;
  readonly nowMs: () => number;
}

interface ImageUse {
  /** On the monotonic clock; before its start for what was idle already. */
  idleSinceMs: number;
  quietSinceMs: number;
  /** On the monotonic clock; 0: no lease. */
  leaseEndsMs: number;
  leasedUntil: string;
  storedIdleMs: number | undefined;
}

/**
 * Knows for how long each image has been idle. Time counts while an agent runs and watches: neither a clock that is set
 * nor a machine that was off makes an image look old.
 */
export class ImageUses {
  readonly #dependencies: ImageUsesDependencies;
  readonly #uses = new Map<Digest, ImageUse>();

  constructor(dependencies: ImageUsesDependencies) {
    this.#dependencies = dependencies;
  }

  /** Fills the memory from the records; what can't be read begins anew. */
  load(): void {
    const { table, monotonicMs, nowMs } = this.#dependencies;
    const bad: string[] = [];
    const now = monotonicMs();
    for (const { id, idleMs, leasedUntil } of table.list((badId) => bad.push(badId))) {
      const leaseMs = leasedUntil === "" ? 0 : Date.parse(leasedUntil) - nowMs();
      this.#uses.set(id, {
        idleSinceMs: now - idleMs,
        // Whoever asked the former agent may come to use it yet.
        quietSinceMs: now,
        leaseEndsMs: leaseMs > 0 ? now + leaseMs : 0,
        leasedUntil,
        storedIdleMs: idleMs,
      });
    }
    for (const id of bad) table.delete(id);
  }

  /** Somebody begins or ends using it, or has pulled it. */
  used(id: Digest): void {
    const use = this.#use(id);
    use.idleSinceMs = this.#dependencies.monotonicMs();
    use.quietSinceMs = use.idleSinceMs;
  }

  /** Somebody asks for it by name, and may use it in a moment. */
  asked(id: Digest): void {
    this.#use(id).quietSinceMs = this.#dependencies.monotonicMs();
  }

  /** Keeps it from being collected for this long; replaces an earlier lease. @returns when it ends, ISO 8601 */
  lease(id: Digest, durationMs: number): string {
    const { monotonicMs, nowMs, table } = this.#dependencies;
    const use = this.#use(id);
    use.leasedUntil = new Date(nowMs() + durationMs).toISOString();
    use.leaseEndsMs = monotonicMs() + durationMs;
    const idleMs = this.idleMs(id);
    table.put(id, { id, idleMs, leasedUntil: use.leasedUntil });
    use.storedIdleMs = idleMs;
    return use.leasedUntil;
  }

  idleMs(id: Digest): number {
    return Math.round(Math.max(0, this.#dependencies.monotonicMs() - this.#use(id).idleSinceMs));
  }

  quietMs(id: Digest): number {
    return Math.round(Math.max(0, this.#dependencies.monotonicMs() - this.#use(id).quietSinceMs));
  }

  /** What is left of its lease; 0: nothing. */
  leaseMs(id: Digest): number {
    return Math.max(0, this.#use(id).leaseEndsMs - this.#dependencies.monotonicMs());
  }

  /** Notes which of the images are in use now, and writes down how things stand. What is no image any more is forgotten. */
  watch(ids: readonly Digest[], inUse: ReadonlySet<Digest>): void {
    for (const id of ids) {
      const use = this.#use(id);
      if (inUse.has(id)) this.used(id);
      if (use.leaseEndsMs > 0 && this.leaseMs(id) === 0) {
        use.leaseEndsMs = 0;
        use.leasedUntil = "";
        use.storedIdleMs = undefined;
      }
    }
    const present = new Set(ids);
    this.#dependencies.transaction(() => {
      for (const id of this.#uses.keys()) if (!present.has(id)) this.#dependencies.table.delete(id);
      for (const id of ids) this.#store(id);
    });
    for (const id of [...this.#uses.keys()]) if (!present.has(id)) this.#uses.delete(id);
  }

  #store(id: Digest): void {
    const use = this.#use(id);
    const idleMs = this.idleMs(id);
    if (use.storedIdleMs === idleMs) return;
    this.#dependencies.table.put(id, { id, idleMs, leasedUntil: use.leasedUntil });
    use.storedIdleMs = idleMs;
  }

  #use(id: Digest): ImageUse {
    const known = this.#uses.get(id);
    if (known !== undefined) return known;
    const now = this.#dependencies.monotonicMs();
    const fresh = { idleSinceMs: now, quietSinceMs: now, leaseEndsMs: 0, leasedUntil: "", storedIdleMs: undefined };
    this.#uses.set(id, fresh);
    return fresh;
  }
}

/** Checks a record that the disk gave back. @throws AgentError FailedPrecondition */
export function decodeImageUse(value: unknown): ImageUseRecord {
  const what = "image use record";
  const json = readObject(value, what);
  const leasedUntil = readText(json, "leasedUntil", what);
  if (leasedUntil !== "" && Number.isNaN(Date.parse(leasedUntil))) {
    throw malformed(`${what}, leasedUntil`, "must be a time or empty");
  }
  const id = readDigest(field(json, "id"), `${what}, id`);
  return { id, idleMs: readSize(json, "idleMs", what), leasedUntil };
}

import { statfs } from "node:fs/promises";
import { delay } from "../common/deadline.ts";
import { errorText } from "../common/errors.ts";
import type { Digest } from "../common/ids.ts";
import type { Log } from "../common/log.ts";
import { SingleFlight } from "../common/single-flight.ts";
import { type GcDecision, type GcFacts, type GcPolicy, planImageGc } from "./plan-image-gc.ts";

export interface ImageGcSettings extends GcPolicy {
  /** Between two passes that begin by themselves; 0: none do. */
  readonly intervalMs: number;
}

export interface ImageGcDependencies {
  readonly settings: ImageGcSettings;
  /** A directory on the file system of the images. */
  readonly directory: string;
  /** What is so at this moment; answers at once. */
  readonly facts: () => Omit<GcFacts, "fileSystem">;
  /** Takes the image away at once and its layers after it. */
  readonly remove: (id: Digest) => Promise<void>;
  readonly log: Log;
}

/** What a pass did, or would do. */
export interface GcReport {
  readonly fileSystem: GcFacts["fileSystem"];
  /** What was or would be removed, in that order, then what was kept. */
  readonly decisions: readonly GcDecision[];
  /** Bytes that removing all of it does not free, of those that the low threshold asks for. */
  readonly missingBytes: number;
  /** Why removals failed, by image id. */
  readonly failures: ReadonlyMap<Digest, string>;
}

/** Counts since the agent's start. */
export interface GcCounts {
  readonly passes: number;
  readonly failures: number;
  readonly removedImages: Readonly<Record<"expired" | "space", number>>;
  readonly freedBytes: number;
}

/** Removes images that nobody uses when their file system fills up, or when they have been idle for too long. */
export class ImageGc implements AsyncDisposable {
  readonly #dependencies: ImageGcDependencies;
  readonly #passes = new SingleFlight<GcReport>();
  readonly #stop = new AbortController();
  readonly #removed = { expired: 0, space: 0 };
  #passCount = 0;
  #failureCount = 0;
  #freedBytes = 0;
  #running: Promise<unknown> = Promise.resolve();

  constructor(dependencies: ImageGcDependencies) {
    this.#dependencies = dependencies;
  }

  /** Begins passes by itself, the first after one interval. */
  start(): void {
    if (this.#dependencies.settings.intervalMs > 0) this.#running = this.#repeat();
  }

  /** What a pass would do now. */
  async explain(): Promise<GcReport> {
    const fileSystem = await this.#fileSystem();
    const { decisions, missingBytes } = planImageGc(this.#facts(fileSystem), this.#dependencies.settings);
    return { fileSystem, decisions, missingBytes, failures: new Map() };
  }

  /** Makes one pass, or joins the one that runs. */
  collect(): Promise<GcReport> {
    return this.#passes.run("", () => this.#pass());
  }

  counts(): GcCounts {
    return {
      passes: this.#passCount,
      failures: this.#failureCount,
      removedImages: { ...this.#removed },
      freedBytes: this.#freedBytes,
    };
  }

  /** Begins no further pass, and lets one that runs end after the image it is at. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    if (this.#passes.has("")) await this.collect();
  }

  async #repeat(): Promise<void> {
    const { settings, log } = this.#dependencies;
    for (;;) {
      try {
        await delay(settings.intervalMs, this.#stop.signal);
      } catch {
        return;
      }
      try {
        const { missingBytes } = await this.collect();
        if (missingBytes > 0) log.warn({ missingBytes }, "no image can go, and their file system is too full");
      } catch (error) {
        log.error({ error: errorText(error) }, "images can't be collected");
      }
    }
  }

  /** Removes one image after the other, each decided from what is so at that moment. */
  async #pass(): Promise<GcReport> {
    const { settings, remove, log } = this.#dependencies;
    const failures = new Map<Digest, string>();
    const removed: GcDecision[] = [];
    let isFreeing = false;
    this.#passCount++;
    for (;;) {
      const fileSystem = await this.#fileSystem();
      const plan = planImageGc(this.#facts(fileSystem), settings, isFreeing);
      isFreeing ||= plan.pressed;
      const next = plan.decisions.find(({ id, action }) => action === "remove" && !failures.has(id));
      if (next === undefined || this.#stop.signal.aborted) {
        const kept = plan.decisions.filter(({ action }) => action === "keep");
        return { fileSystem, decisions: [...removed, ...kept], missingBytes: plan.missingBytes, failures };
      }
      // No waiting between the decision and its deed: nobody can have come to need the image meanwhile.
      const work = remove(next.id);
      removed.push(next);
      try {
        await work;
        this.#freedBytes += next.freesBytes;
        this.#removed[next.reason === "expired" ? "expired" : "space"]++;
        const { id, name, reason, idleMs, freesBytes } = next;
        log.info({ imageId: id, image: name, reason, idleMs, freedBytes: freesBytes }, "image collected");
      } catch (error) {
        this.#failureCount++;
        failures.set(next.id, errorText(error));
        log.error({ imageId: next.id, image: next.name, error: errorText(error) }, "image can't be collected");
      }
    }
  }

  #facts(fileSystem: GcFacts["fileSystem"]): GcFacts {
    return { ...this.#dependencies.facts(), fileSystem };
  }

  async #fileSystem(): Promise<GcFacts["fileSystem"]> {
    const { blocks, bavail, bsize } = await statfs(this.#dependencies.directory);
    return { capacityBytes: blocks * bsize, availableBytes: bavail * bsize };
  }
}

import { failpoint } from "../../common/failpoint.ts";
import type { Digest } from "../../common/ids.ts";
import type { ImageRecord } from "../image-record.ts";
import type { PullProgress } from "../pull-progress.ts";
import type { ImageCacheRecord } from "./image-cache-record.ts";
import { begun, checkSize, made, planBuild, withImage } from "./plan-image-cache.ts";

/** What a build works with. */
export interface BuildDependencies {
  readonly record: () => ImageCacheRecord;
  readonly others: () => readonly ImageCacheRecord[];
  /** Writes the record, and holds what it keeps. @param together further writes of the same transaction */
  readonly put: (record: ImageCacheRecord, together?: () => void) => void;
  readonly onNode: (reference: string) => ImageRecord | undefined;
  /** Bytes of each layer on the disk. */
  readonly layers: () => ReadonlyMap<Digest, number>;
  /** Brings an image; `keep` takes it over in the moment it is whole. */
  readonly pull: (
    reference: string,
    keep: (image: ImageRecord, together: () => void) => void,
    tell: (event: PullProgress) => void,
  ) => Promise<unknown>;
  /** @param share of the work that is done, 0 to 1 */
  readonly progress: (share: number) => void;
  readonly nowMs: () => number;
}

/**
 * Brings one image after the other; each is kept by the cache's record from the moment it is whole, so that a build that
 * is cut off goes on where it was.
 * @throws AgentError what a pull throws, ResourceExhausted when the images take more than the cache may
 */
export async function buildImageCache(deps: BuildDependencies, signal: AbortSignal): Promise<void> {
  const { record, others, put, onNode, pull, progress, nowMs } = deps;
  put(begun(record(), nowMs()));
  failpoint("cache.begun");
  for (;;) {
    signal.throwIfAborted();
    // Planned anew for each image: what could be taken a moment ago may be gone.
    const steps = planBuild(record(), { others: others(), onNode });
    const [step] = steps;
    if (step === undefined) break;
    const done = record().gathered.length;
    const total = done + steps.length;
    if (step.kind === "take") {
      put(withImage(record(), step.cached, step.from, nowMs()));
    } else {
      const { reference } = step;
      const share = new LayerShare();
      const keep = (image: ImageRecord, together: () => void) =>
        put(withImage(record(), { reference, image }, "its registry", nowMs()), together);
      await pull(reference, keep, (event) => progress((done + share.after(event)) / total));
    }
    failpoint("cache.image-kept");
    progress((done + 1) / total);
    checkSize(record(), deps.layers());
  }
  put(made(record(), nowMs()));
  failpoint("cache.ready");
}

/** How much of one image's layers has come, 0 to 1. */
class LayerShare {
  readonly #layers = new Map<string, { readonly done: number; readonly total: number }>();

  after({ layer, phase, doneBytes, totalBytes }: PullProgress): number {
    if (layer !== "") {
      const whole = phase === "exists" || phase === "done";
      this.#layers.set(layer, { done: whole ? totalBytes : Math.min(doneBytes, totalBytes), total: totalBytes });
    }
    const layers = [...this.#layers.values()];
    const total = layers.reduce((sum, one) => sum + one.total, 0);
    return total === 0 ? 0 : layers.reduce((sum, { done }) => sum + done, 0) / total;
  }
}

import type { Digest } from "../common/ids.ts";

/** One image as the collection sees it. */
export interface GcImage {
  readonly id: Digest;
  /** How people know it: a tag, else a digest reference, else the id. */
  readonly name: string;
  /** Chain ids of its layers, lowest first. */
  readonly chainIds: readonly Digest[];
  /** How long nothing has used it. */
  readonly idleMs: number;
  /** How long nobody has used it, pulled it or asked for it by name; at most `idleMs`. */
  readonly quietMs: number;
  /** Who uses it, such as "container 0123456789abc" or "a running pull". */
  readonly users: readonly string[];
  /** Why it is pinned; undefined: it is not. */
  readonly pin: string | undefined;
  /** What is left of its lease; 0: it has none. */
  readonly leaseMs: number;
}

/** What the decisions are made from, all of one moment. */
export interface GcFacts {
  readonly images: readonly GcImage[];
  readonly layers: readonly {
    readonly chainId: Digest;
    readonly parentChainId: Digest | undefined;
    readonly sizeBytes: number;
  }[];
  /** Chain ids that containers and pulls need, whatever becomes of the images. */
  readonly heldChainIds: Iterable<Digest>;
  /** The file system of the images; available is what a process without privileges may use. */
  readonly fileSystem: { readonly capacityBytes: number; readonly availableBytes: number };
}

export interface GcPolicy {
  /** Percent of the file system in use at which space is made; 100: never. */
  readonly highPercent: number;
  /** Percent in use at which enough space has been made. */
  readonly lowPercent: number;
  /** What has not been idle for this long is spared. */
  readonly minimumAgeMs: number;
  /** What has been idle for this long goes whatever space there is; 0: nothing does. */
  readonly maximumAgeMs: number;
}

export type GcReason =
  /** removed: idle for longer than the maximum age */
  | "expired"
  /** removed: the file system is too full */
  | "space"
  /** kept: a container or a pull needs it */
  | "in-use"
  | "pinned"
  | "leased"
  /** kept: used, pulled or asked for a moment ago */
  | "young"
  /** kept: others need all of its layers, so that its removal would free nothing */
  | "shared"
  /** kept: nothing asks for its removal */
  | "unneeded";

export interface GcDecision {
  readonly id: Digest;
  readonly name: string;
  readonly action: "remove" | "keep";
  readonly reason: GcReason;
  /** Who uses it, or what pins it; empty where the reason says all. */
  readonly detail: string;
  readonly idleMs: number;
  /** Bytes of layers that go with it, once those before it in the plan are gone; 0 for what is kept. */
  readonly freesBytes: number;
}

export interface GcPlan {
  /** Removals in their order, then what is kept. */
  readonly decisions: readonly GcDecision[];
  /** Whether the file system is too full. */
  readonly pressed: boolean;
  /** Bytes to free until the low threshold is met; 0 unless pressed. */
  readonly wantedBytes: number;
  /** What is still wanted when every removal of the plan is done. */
  readonly missingBytes: number;
}

/**
 * Decides what becomes of each image: the longest idle goes first.
 * @param isFreeing space is being made already: go on down to the low threshold
 */
export function planImageGc(facts: GcFacts, policy: GcPolicy, isFreeing = false): GcPlan {
  const pressure = pressureOn(facts.fileSystem, policy, isFreeing);
  const needs = new LayerNeeds(facts);
  const spared = new Map(facts.images.map((image) => [image.id, spare(image, policy)]));
  const candidates = facts.images
    .filter(({ id }) => spared.get(id) === undefined)
    .toSorted((a, b) => b.idleMs - a.idleMs || (a.id < b.id ? -1 : 1));
  const useful = needs.freeable(candidates);
  const removed = new Map<Digest, GcDecision>();
  let missingBytes = pressure.wantedBytes;
  const remove = (image: GcImage, reason: GcReason) => {
    const freesBytes = needs.drop(image);
    missingBytes = Math.max(0, missingBytes - freesBytes);
    removed.set(image.id, decide(image, "remove", reason, "", freesBytes));
  };
  const isExpired = ({ idleMs }: GcImage) => policy.maximumAgeMs > 0 && idleMs >= policy.maximumAgeMs;
  for (const image of candidates) if (isExpired(image)) remove(image, "expired");
  for (const image of candidates) {
    if (missingBytes === 0) break;
    if (!removed.has(image.id) && useful.has(image.id)) remove(image, "space");
  }
  const kept = facts.images
    .filter(({ id }) => !removed.has(id))
    .map((image) => {
      const why = spared.get(image.id);
      if (why !== undefined) return decide(image, "keep", why.reason, why.detail, 0);
      return decide(image, "keep", useful.has(image.id) ? "unneeded" : "shared", "", 0);
    });
  return { decisions: [...removed.values(), ...kept], ...pressure, missingBytes };
}

function decide(
  { id, name, idleMs }: GcImage,
  action: GcDecision["action"],
  reason: GcReason,
  detail: string,
  freesBytes: number,
): GcDecision {
  return { id, name, action, reason, detail, idleMs, freesBytes };
}

/** Why an image must stay whatever is wanted; undefined: it may go. */
function spare(image: GcImage, policy: GcPolicy): { readonly reason: GcReason; readonly detail: string } | undefined {
  if (image.users.length > 0) return { reason: "in-use", detail: image.users.join(", ") };
  if (image.pin !== undefined) return { reason: "pinned", detail: image.pin };
  if (image.leaseMs > 0) return { reason: "leased", detail: "" };
  if (image.quietMs < policy.minimumAgeMs) return { reason: "young", detail: "" };
  return undefined;
}

function pressureOn(
  { capacityBytes, availableBytes }: GcFacts["fileSystem"],
  { highPercent, lowPercent }: GcPolicy,
  isFreeing: boolean,
): { readonly pressed: boolean; readonly wantedBytes: number } {
  const usedBytes = capacityBytes - availableBytes;
  const limit = isFreeing ? lowPercent : highPercent;
  const pressed =
    highPercent < 100 &&
    capacityBytes > 0 &&
    (isFreeing ? usedBytes * 100 > limit * capacityBytes : usedBytes * 100 >= limit * capacityBytes);
  const wantedBytes = pressed ? Math.max(0, Math.ceil(usedBytes - (lowPercent * capacityBytes) / 100)) : 0;
  return { pressed, wantedBytes };
}

/** How many need each layer; what goes with an image is what nobody else needs. */
class LayerNeeds {
  readonly #counts = new Map<Digest, number>();
  readonly #sizes: ReadonlyMap<Digest, number>;

  constructor({ images, layers, heldChainIds }: GcFacts) {
    this.#sizes = new Map(layers.map(({ chainId, sizeBytes }) => [chainId, sizeBytes]));
    const parents = new Map(layers.map(({ chainId, parentChainId }) => [chainId, parentChainId]));
    const held = new Set<Digest>();
    for (const start of heldChainIds) {
      for (let at: Digest | undefined = start; at !== undefined && !held.has(at); at = parents.get(at)) held.add(at);
    }
    for (const chainId of held) this.#add(chainId, 1);
    for (const image of images) for (const chainId of new Set(image.chainIds)) this.#add(chainId, 1);
  }

  /** Takes the image's needs away. @returns bytes of the layers that nobody needs any more */
  drop(image: GcImage): number {
    let freedBytes = 0;
    for (const chainId of new Set(image.chainIds)) {
      if (this.#add(chainId, -1) === 0) freedBytes += this.#sizes.get(chainId) ?? 0;
    }
    return freedBytes;
  }

  /** The ids of those that have a layer which nobody but these needs. */
  freeable(candidates: readonly GcImage[]): ReadonlySet<Digest> {
    const among = new Map<Digest, number>();
    for (const { chainIds } of candidates) {
      for (const chainId of new Set(chainIds)) among.set(chainId, (among.get(chainId) ?? 0) + 1);
    }
    const isTheirs = (chainId: Digest) => among.get(chainId) === this.#counts.get(chainId);
    const frees = (chainId: Digest) => isTheirs(chainId) && (this.#sizes.get(chainId) ?? 0) > 0;
    return new Set(candidates.filter(({ chainIds }) => chainIds.some(frees)).map(({ id }) => id));
  }

  #add(chainId: Digest, change: number): number {
    const count = (this.#counts.get(chainId) ?? 0) + change;
    this.#counts.set(chainId, count);
    return count;
  }
}

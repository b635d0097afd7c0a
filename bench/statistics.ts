/** A ratio with the range that nineteen of twenty repetitions of the whole run would give, as far as its rounds tell. */
export interface Ratio {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

const resamples = 2_000;

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/**
 * The median of the pairs' ratios, ours to theirs, with its 95 % bootstrap interval.
 * @param ours one value a pair; `theirs` has as many, of the same rounds
 */
export function pairedRatio(ours: readonly number[], theirs: readonly number[], random = Math.random): Ratio {
  const ratios = ours.map((value, pair) => value / (theirs[pair] ?? Number.NaN));
  const medians = Array.from({ length: resamples }, () =>
    median(ratios.map(() => ratios[Math.floor(random() * ratios.length)] ?? Number.NaN)),
  );
  return { median: median(ratios), low: quantile(medians, 0.025), high: quantile(medians, 0.975) };
}

/** Linear between the two nearest values. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}

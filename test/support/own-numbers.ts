import { randomInt } from "node:crypto";

/** More than the workers of a run: each takes the numbers of its own rest. */
const shares = 4;
const share = Number(process.env["VITEST_POOL_ID"] ?? 0) % shares;

/**
 * Draws numbers that no test beside this one in the run draws; those of other people's runs are avoided by chance.
 * @param first the lowest
 * @param end the number after the highest
 * @returns draws the next; none comes again before all have come
 */
export function ownNumbers(first: number, end: number): () => number {
  const count = Math.floor((end - first) / shares);
  let next = randomInt(0, count);
  return () => first + shares * (next++ % count) + share;
}

const outside = ownNumbers(0, 512);

/** A /24 of 198.18.0.0/15, kept for benchmarks, so that nobody has it: its first three octets. */
export function outsideRange(): string {
  const number = outside();
  return `198.${18 + (number >> 8)}.${number & 255}`;
}

/** A port above those the kernel gives out, for a pod to have on the host. */
export const hostPort = ownNumbers(61_000, 65_000);

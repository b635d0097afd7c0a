import type { Bench } from "./bench-case.ts";
import { durationText } from "./duration-text.ts";
import type { RoundUsage, Sample } from "./sample.ts";
import type { Side } from "./side.ts";
import { median } from "./statistics.ts";

/** What one side did in one round. */
export interface RoundWork {
  /** Duration in ms by operation; several of one operation are several samples. */
  readonly durations: ReadonlyArray<readonly [operation: string, durationMs: number]>;
  readonly usage: Omit<RoundUsage, "case" | "side" | "round">;
}

/**
 * Lets both sides do the work, round by round, in the order ABBA: what the machine does to the later one of a pair, it does
 * to each side as often. Round 0 warms up and is not counted.
 */
export async function runRounds(
  bench: Bench,
  name: string,
  work: (side: Side, round: number) => Promise<RoundWork>,
): Promise<{ readonly samples: readonly Sample[]; readonly usages: readonly RoundUsage[] }> {
  const samples: Sample[] = [];
  const usages: RoundUsage[] = [];
  for (let round = 0; round <= bench.settings.rounds; round++) {
    const order = round % 2 === 0 ? bench.sides : bench.sides.toReversed();
    for (const side of order) {
      bench.signal.throwIfAborted();
      const { durations, usage } = await work(side, round);
      if (round === 0) continue;
      samples.push(
        ...durations.map(([operation, durationMs]) => ({ case: name, operation, side: side.name, round, durationMs })),
      );
      usages.push({ case: name, side: side.name, round, ...usage });
    }
    if (round > 0) bench.tell(`round ${round} of ${bench.settings.rounds}: ${roundText(samples, round)}`);
  }
  return { samples, usages };
}

/** @returns how long the work took, in ms */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** The median of each side's first operation. */
function roundText(samples: readonly Sample[], round: number): string {
  const first = samples.filter((sample) => sample.round === round && sample.operation === samples[0]?.operation);
  const sides = [...new Set(first.map(({ side }) => side))].sort();
  const text = (name: string) => {
    const durations = first.filter(({ side }) => side === name).map(({ durationMs }) => durationMs);
    return `${name} ${durationText(median(durations))}`;
  };
  return `${first[0]?.operation ?? "nothing"} ${sides.toReversed().map(text).join(", ")}`;
}

import type { BenchImages } from "./images.ts";
import type { CaseResult } from "./sample.ts";
import type { Settings } from "./settings.ts";
import type { Sides } from "./side.ts";

/** What a case has to work with. */
export interface Bench {
  readonly sides: Sides;
  readonly images: BenchImages;
  readonly settings: Settings;
  /** Aborts when the run is interrupted. */
  readonly signal: AbortSignal;
  tell(line: string): void;
}

/** One comparison. */
export interface BenchCase {
  readonly name: string;
  /** What it does, in one line. */
  readonly title: string;
  /** The highest ratio, ours to theirs, that is expected of an operation. */
  readonly expected: Readonly<Record<string, number>>;
  run(bench: Bench): Promise<CaseResult>;
}

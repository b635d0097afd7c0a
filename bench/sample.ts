import type { Usage } from "./daemon.ts";
import type { SideName } from "./side.ts";

/** One timed piece of work. */
export interface Sample {
  readonly case: string;
  readonly operation: string;
  readonly side: SideName;
  readonly round: number;
  readonly durationMs: number;
}

/** What one side's daemon took for a round of a case. */
export interface RoundUsage extends Usage {
  readonly case: string;
  readonly side: SideName;
  readonly round: number;
  /** Pulls, or pods, in the round. */
  readonly works: number;
}

/** All that a case measured. */
export interface CaseResult {
  readonly samples: readonly Sample[];
  readonly usages: readonly RoundUsage[];
}

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { alignCells, sizeText } from "../src/cli/output.ts";
import type { BenchCase } from "./bench-case.ts";
import { durationText } from "./duration-text.ts";
import type { MachineFacts } from "./machine.ts";
import { cache } from "./place.ts";
import type { CaseResult, Sample } from "./sample.ts";
import type { SideName } from "./side.ts";
import { median, pairedRatio } from "./statistics.ts";

/** The figures of one case, as a table for people. */
export function caseTable({ expected }: BenchCase, { samples, usages }: CaseResult): string {
  const operations = [...new Set(samples.map(({ operation }) => operation))];
  const rows = operations.map((operation) => operationRow(operation, samples, expected[operation]));
  const heading = ["OPERATION", "PODLING", "CONTAINERD", "RATIO", "95 %", "EXPECTED"];
  const perWork = (side: SideName, read: (usage: CaseResult["usages"][number]) => number) =>
    median(usages.filter((usage) => usage.side === side).map(read));
  const cpu = (side: SideName) => durationText(perWork(side, ({ cpuSeconds, works }) => (cpuSeconds / works) * 1000));
  const memory = (side: SideName) => sizeText(perWork(side, ({ peakRssBytes }) => peakRssBytes));
  const table =
    usages.length === 0
      ? []
      : [
          ["processor time of one", cpu("podling"), cpu("containerd")],
          ["daemon's peak memory", memory("podling"), memory("containerd")],
        ];
  return alignCells([heading, ...rows, ...table]);
}

/** Writes every raw value. @returns the file's path */
export function writeResults(facts: MachineFacts, results: ReadonlyMap<string, CaseResult>, startedAt: Date): string {
  mkdirSync(cache.results, { recursive: true });
  const path = join(cache.results, `${startedAt.toISOString().replaceAll(":", "-")}.json`);
  writeFileSync(path, JSON.stringify({ facts: Object.fromEntries(facts), results: Object.fromEntries(results) }));
  return path;
}

function operationRow(operation: string, samples: readonly Sample[], expected: number | undefined): readonly string[] {
  const of = (side: SideName) =>
    samples.filter((sample) => sample.side === side && sample.operation === operation).map((one) => one.durationMs);
  const [ours, theirs] = [of("podling"), of("containerd")];
  const ratio = pairedRatio(ours, theirs);
  return [
    operation,
    durationText(median(ours)),
    durationText(median(theirs)),
    ratio.median.toFixed(2),
    `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}`,
    expected === undefined ? "" : `≤ ${expected.toFixed(2)}, ${ratio.median <= expected ? "met" : "MISSED"}`,
  ];
}

/** A measured time with three digits: "3.86 ms", "41.6 ms", "262 ms", "5.39 s". */
export function durationText(durationMs: number): string {
  if (durationMs >= 1000) return `${(durationMs / 1000).toFixed(2)} s`;
  return `${durationMs.toFixed(durationMs < 10 ? 2 : durationMs < 100 ? 1 : 0)} ms`;
}

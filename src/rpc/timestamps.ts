/**
 * Milliseconds since the epoch as the contract's nanoseconds. The fraction is scaled on its own: the product would be
 * beyond what a double holds exactly.
 */
export function encodeTimestamp(timeMs: number): string {
  const whole = Math.floor(timeMs);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((timeMs - whole) * 1e6)));
}

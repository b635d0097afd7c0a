/** More than this between the two clocks is a step of the host's, which time stamps have to follow. */
const stepMs = 5;
let originMs = performance.timeOrigin;

/** Milliseconds since the epoch with a fraction: as fine as the monotonic clock, as right as the host's. */
export function wallClockMs(): number {
  const elapsedMs = performance.now();
  const hostMs = Date.now();
  if (Math.abs(hostMs - (originMs + elapsedMs)) > stepMs) originMs = hostMs - elapsedMs;
  return originMs + elapsedMs;
}

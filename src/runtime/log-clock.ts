/** The wall clock may be set; beyond this difference it is right and the steady clock is read anew. */
const toleratedMs = 2;
let originMs = performance.timeOrigin;

/** Milliseconds since the epoch with a fraction, finer than Date.now() and yet following the wall clock. */
export function preciseNowMs(): number {
  const steadyMs = performance.now();
  const wallMs = Date.now();
  const nowMs = originMs + steadyMs;
  if (nowMs >= wallMs - toleratedMs && nowMs <= wallMs + 1 + toleratedMs) return nowMs;
  originMs = wallMs - steadyMs;
  return wallMs;
}

import type { TransferLimits } from "./blob-source.ts";

/** Statuses that a registry may answer differently after a while. */
export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

/**
 * How long to wait before the next try.
 * @param failures failed tries so far, 1 or more
 * @param retryAfter value of the Retry-After header: seconds or a date
 * @param random 0 to 1, so that many nodes do not come back in the same instant
 */
export function retryDelayMs(
  limits: Pick<TransferLimits, "retryDelayMs" | "maxRetryDelayMs">,
  failures: number,
  retryAfter: string | undefined,
  nowMs: number,
  random: number,
): number {
  const backoff = limits.retryDelayMs * 2 ** Math.min(failures - 1, 10) * (0.5 + random / 2);
  return Math.min(Math.max(backoff, askedMs(retryAfter, nowMs)), limits.maxRetryDelayMs);
}

function askedMs(retryAfter: string | undefined, nowMs: number): number {
  if (retryAfter === undefined) return 0;
  if (/^\d{1,9}$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? 0 : Math.max(0, date - nowMs);
}

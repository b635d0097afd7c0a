import { setTimeout as sleep } from "node:timers/promises";

/**
 * Calls the probe until it gives something else than undefined or false.
 * @param isFinal tells which of the probe's errors end the wait at once
 * @throws Error naming what was waited for, with the probe's last error, when the time is up
 */
export async function eventually<Value>(
  what: string,
  probe: () => Promise<Value | undefined | false> | Value | undefined | false,
  timeoutMs = 20_000,
  isFinal: (error: unknown) => boolean = () => false,
): Promise<Value> {
  const deadline = performance.now() + timeoutMs;
  let lastError: unknown;
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 1.5, 200)) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      if (isFinal(error)) throw error;
      lastError = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}`, { cause: lastError });
    }
    await sleep(pauseMs);
  }
}

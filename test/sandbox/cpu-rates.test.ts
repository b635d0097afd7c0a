import { describe, expect, test } from "vitest";
import { CpuRates } from "../../src/sandbox/cpu-rates.ts";

/** Half a core for so many milliseconds. */
const half = (ms: number) => BigInt(ms) * 500_000n;

describe("CpuRates", () => {
  test("knows a rate from the second reading on", () => {
    const rates = new CpuRates();
    expect(rates.take("a", 7n, 1000)).toBeUndefined();
    expect(rates.take("a", 7n + half(2000), 3000)).toBe(500_000_000n);
    expect(rates.take("b", 0n, 3000)).toBeUndefined();
  });

  test("gives readings too close to each other the last rate, and then measures from the last one that counted", () => {
    const rates = new CpuRates();
    rates.take("a", 0n, 0);
    expect(rates.take("a", half(100), 100)).toBeUndefined();
    expect(rates.take("a", half(1000), 1000)).toBe(500_000_000n);
    expect(rates.take("a", half(1000) + 1n, 1001)).toBe(500_000_000n);
    expect(rates.take("a", half(1000), 2000)).toBe(0n);
  });

  test("starts anew where a counter or the clock went back", () => {
    const rates = new CpuRates();
    rates.take("a", half(1000), 1000);
    expect(rates.take("a", 5n, 2000)).toBeUndefined();
    expect(rates.take("a", half(1000), 1000)).toBeUndefined();
    expect(rates.take("a", half(2000), 3000)).toBeUndefined();
  });

  test("keeps large counters exact", () => {
    const rates = new CpuRates();
    const old = 2n ** 60n;
    rates.take("a", old, 0);
    expect(rates.take("a", old + half(1000), 1000)).toBe(500_000_000n);
  });

  test("forgets what is gone", () => {
    const rates = new CpuRates();
    rates.take("a", 0n, 0);
    rates.retain(new Set(["b"]));
    expect(rates.take("a", half(1000), 1000)).toBeUndefined();
  });
});

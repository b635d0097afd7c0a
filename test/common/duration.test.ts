import { describe, expect, test } from "vitest";
import { parseDuration } from "../../src/common/duration.ts";

describe("parseDuration()", () => {
  test.each<[string, number | undefined]>([
    ["0", 0],
    ["0s", 0],
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["1.5h", 5_400_000],
    ["250ms", 250],
    ["1h0m1s", 3_601_000],
    ["2000us", 2],
    ["", undefined],
    ["5", undefined],
    ["-5s", undefined],
    ["5 s", undefined],
    ["1d", undefined],
    ["h", undefined],
    [`${"9".repeat(30)}h`, undefined],
  ])("%j is %s ms", (text, wanted) => {
    expect(parseDuration(text)).toBe(wanted);
  });
});

import { crc32, deflateRawSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { IsalInflate, isIsalUsable } from "../../src/system/isal.ts";

const maybe = isIsalUsable() || process.env["CI"] ? describe : describe.skip;

maybe("IsalInflate", () => {
  test("decodes streams one after the other, in the pool and on this thread, and gives back what is behind them", async () => {
    const inflate = new IsalInflate();
    for (const text of ["first", "second ".repeat(10_000)]) {
      const body = Buffer.from(text);
      const input = Buffer.concat([deflateRawSync(body), Buffer.from("behind")]);
      for (const step of ["step", "stepNow"] as const) {
        inflate.begin();
        const output = Buffer.alloc(100_000);
        const { consumed, produced, ended } = await inflate[step](input, output);
        expect([ended, output.toString("utf8", 0, produced)]).toEqual([true, text]);
        expect([inflate.crc, inflate.totalOut]).toEqual([crc32(body), body.length]);
        expect(`${inflate.takeHeldBytes()}${input.subarray(consumed)}`).toBe("behind");
      }
    }
  });

  test("stops where the output is full, and goes on", () => {
    const body = Buffer.alloc(10_000, "abc");
    const inflate = new IsalInflate();
    let rest = deflateRawSync(body);
    const parts: Buffer[] = [];
    for (let ended = false; !ended; ) {
      const output = Buffer.alloc(333);
      const step = inflate.stepNow(rest, output);
      expect(step.produced).toBeLessThanOrEqual(333);
      parts.push(output.subarray(0, step.produced));
      rest = rest.subarray(step.consumed);
      ended = step.ended;
    }
    expect(Buffer.concat(parts).equals(body)).toBe(true);
  });

  test("says what is wrong", async () => {
    const inflate = new IsalInflate();
    await expect(inflate.step(Buffer.from("ffffffff", "hex"), Buffer.alloc(10))).rejects.toThrow(
      "inflate: invalid block",
    );
  });
});

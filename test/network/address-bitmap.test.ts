import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AddressBitmap } from "../../src/network/address-bitmap.ts";

describe("AddressBitmap", () => {
  test("agrees with a set of numbers whatever is done to it", () => {
    const action = fc.record({ take: fc.boolean(), at: fc.nat(5000) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.array(action, { maxLength: 300 }),
        fc.nat(),
        (size, actions, k) => {
          const bitmap = new AddressBitmap(size);
          const free = new Set(Array.from({ length: size }, (_, index) => index));
          for (const { take, at } of actions) {
            if (take) expect(bitmap.take(at)).toBe(free.delete(at));
            else {
              const released = at < size && !free.has(at);
              if (released) free.add(at);
              expect(bitmap.release(at)).toBe(released);
            }
          }
          expect(bitmap.free).toBe(free.size);
          const sorted = [...free].sort((left, right) => left - right);
          if (sorted.length > 0) expect(bitmap.selectFree(k % sorted.length)).toBe(sorted[k % sorted.length]);
          expect(() => bitmap.selectFree(free.size)).toThrow(RangeError);
        },
      ),
    );
  });

  test("selectFree() finds every free number of a /16 that is 99 % full", () => {
    const bitmap = new AddressBitmap(65_532);
    const free: number[] = [];
    for (let index = 0; index < bitmap.size; index++) {
      if ((index * 7919) % 100 === 0) free.push(index);
      else bitmap.take(index);
    }
    expect(Array.from({ length: bitmap.free }, (_, k) => bitmap.selectFree(k))).toEqual(free);
  });
});

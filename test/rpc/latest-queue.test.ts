import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LatestQueue } from "../../src/rpc/latest-queue.ts";

async function drain<Value>(queue: LatestQueue<Value>): Promise<readonly Value[]> {
  queue.close();
  return Array.fromAsync(queue.values());
}

describe("LatestQueue", () => {
  test("keeps the latest value of each key, in the order in which the keys came", async () => {
    const queue = new LatestQueue<string>(10);
    for (const value of ["a1", "b1", "a2", "c1", "b2", "a3"]) queue.push(value.charAt(0), value);
    expect(await drain(queue)).toEqual(["a3", "b2", "c1"]);
  });

  test("drops the oldest key beyond the limit", async () => {
    const queue = new LatestQueue<number>(2);
    for (const value of [1, 2, 3]) queue.push(String(value), value);
    expect(await drain(queue)).toEqual([2, 3]);
  });

  test("hands a waiting consumer what is pushed while it is busy", async () => {
    const queue = new LatestQueue<number>(10);
    const seen: number[] = [];
    queue.push("a", 1);
    for await (const value of queue.values()) {
      seen.push(value);
      if (value < 5) setTimeout(() => queue.push("a", value + 1));
      else queue.close();
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  test("gives every key's last value, whenever the consumer reads", async () => {
    const pushes = fc.array(fc.record({ key: fc.constantFrom("a", "b", "c"), readAfter: fc.boolean() }));
    await fc.assert(
      fc.asyncProperty(pushes, async (steps) => {
        const queue = new LatestQueue<readonly [string, number]>(3);
        const values = queue.values();
        const last = new Map<string, number>();
        const read = new Map<string, number>();
        for (const [place, { key, readAfter }] of steps.entries()) {
          queue.push(key, [key, place]);
          last.set(key, place);
          if (!readAfter) continue;
          const { value } = await values.next();
          if (value !== undefined) read.set(...value);
        }
        queue.close();
        for await (const value of values) read.set(...value);
        expect(read).toEqual(last);
      }),
    );
  });
});

import { beforeEach, describe, expect, test } from "vitest";
import type { Digest } from "../../src/common/ids.ts";
import { decodeImageUse, type ImageUseRecord, ImageUses } from "../../src/images/image-uses.ts";

const [a, b] = ["a", "b"].map((letter) => `sha256:${letter.repeat(64)}` as Digest) as [Digest, Digest];

describe("ImageUses", () => {
  let rows = new Map<string, unknown>();
  let monotonicMs = 0;
  let wallMs = 0;
  beforeEach(() => {
    rows = new Map();
    monotonicMs = 1_000;
    wallMs = Date.parse("2030-01-01T00:00:00Z");
  });

  /** As an agent that starts: what the last one wrote, and a monotonic clock that begins anywhere. */
  function open(): ImageUses {
    const uses = new ImageUses({
      table: {
        put: (id, record) => void rows.set(id, JSON.parse(JSON.stringify(record))),
        delete: (id) => void rows.delete(id),
        list: (onBad) =>
          [...rows].flatMap(([id, value]): ImageUseRecord[] => {
            try {
              return [decodeImageUse(value)];
            } catch (error) {
              onBad(id, error);
              return [];
            }
          }),
      },
      transaction: (body) => body(),
      monotonicMs: () => monotonicMs,
      nowMs: () => wallMs,
    });
    uses.load();
    return uses;
  }

  test("an image is idle from when it was first seen or last used", () => {
    const uses = open();
    uses.watch([a, b], new Set());
    monotonicMs += 500;
    uses.used(b);
    monotonicMs += 500;
    expect([uses.idleMs(a), uses.idleMs(b)]).toEqual([1_000, 500]);
    uses.watch([a, b], new Set([a]));
    expect([uses.idleMs(a), uses.idleMs(b)]).toEqual([0, 500]);
  });

  test("asking for an image makes it quiet no longer, but not used", () => {
    const uses = open();
    uses.used(a);
    monotonicMs += 700;
    uses.asked(a);
    monotonicMs += 50;
    expect([uses.idleMs(a), uses.quietMs(a)]).toEqual([750, 50]);
  });

  test("idle time goes on with the next agent; the time between them, and a clock that was set, do not count", () => {
    const first = open();
    first.used(a);
    monotonicMs += 5_000;
    first.watch([a], new Set());
    wallMs += 365 * 86_400_000;
    monotonicMs = 20;
    const second = open();
    monotonicMs += 1_000;
    expect(second.idleMs(a)).toBe(6_000);
    expect(second.quietMs(a)).toBe(1_000);
  });

  test("a lease lasts its time, over agents too, and a clock set forward does not end it in this one", () => {
    const first = open();
    expect(first.lease(a, 60_000)).toBe("2030-01-01T00:01:00.000Z");
    wallMs += 600_000;
    expect(first.leaseMs(a)).toBe(60_000);
    wallMs -= 600_000;

    wallMs += 20_000;
    monotonicMs = 5;
    const second = open();
    expect(second.leaseMs(a)).toBe(40_000);
    monotonicMs += 40_000;
    expect(second.leaseMs(a)).toBe(0);
    second.watch([a], new Set());
    expect(rows.get(a)).toMatchObject({ leasedUntil: "" });
  });

  test("images that went are forgotten, and rows that can't be read begin anew", () => {
    const uses = open();
    uses.watch([a, b], new Set());
    monotonicMs += 100;
    uses.watch([b], new Set());
    expect([...rows.keys()]).toEqual([b]);
    expect(uses.idleMs(a)).toBe(0);
    rows.set(b, { id: b, idleMs: -1, leasedUntil: "" });
    expect(open().idleMs(b)).toBe(0);
    expect(rows.size).toBe(0);
  });
});

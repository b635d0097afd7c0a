import fc from "fast-check";
import { expect, test } from "vitest";
import { SharedLock } from "../../src/common/shared-lock.ts";

test("SharedLock: whoever has it alone is alone, nobody waits for ever, and none overtakes one who wants it alone", async () => {
  const user = fc.record({ alone: fc.boolean(), staysFor: fc.nat(5) });
  await fc.assert(
    fc.asyncProperty(fc.array(user, { maxLength: 12 }), fc.scheduler(), async (users, scheduler) => {
      const lock = new SharedLock();
      const inside = { shared: 0, alone: 0 };
      const order: number[] = [];
      const visits = users.map(async ({ alone, staysFor }, index) => {
        const held = await (alone ? lock.own() : lock.share());
        order.push(index);
        inside[alone ? "alone" : "shared"]++;
        for (let turn = 0; turn < staysFor; turn++) {
          await scheduler.schedule(Promise.resolve());
          expect(inside.alone <= 1 && (inside.alone === 0 || inside.shared === 0)).toBe(true);
        }
        inside[alone ? "alone" : "shared"]--;
        held[Symbol.dispose]();
        held[Symbol.dispose]();
      });
      await scheduler.waitFor(Promise.all(visits));
      expect(order.length).toBe(users.length);
      // Everybody who came before one who wants it alone was in before him, and everybody after him later.
      for (const [place, index] of order.entries()) {
        if (users[index]?.alone !== true) continue;
        expect(order.slice(0, place).every((earlier) => earlier < index)).toBe(true);
        expect(order.slice(place + 1).every((later) => later > index)).toBe(true);
      }
    }),
  );
});

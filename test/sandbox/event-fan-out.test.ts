import { describe, expect, test } from "vitest";
import { CreationClock } from "../../src/sandbox/creation-clock.ts";
import { backlogLimit, EventFanOut, type PodEvent, subscriberLimit } from "../../src/sandbox/event-fan-out.ts";
import { sandboxRecord } from "./records.ts";

const sandbox = sandboxRecord();

function publish(events: EventFanOut, ...ids: readonly string[]): void {
  for (const id of ids) events.publish({ kind: "created", id, sandbox, containers: [] });
}

async function take(stream: AsyncIterator<PodEvent>, count: number): Promise<readonly PodEvent[]> {
  const taken: PodEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await stream.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}
const ids = (events: readonly PodEvent[]) => events.map(({ id }) => id);

/** A subscription that has begun: `next` is already asked for. */
function listen(events: EventFanOut, controller = new AbortController()) {
  const stream = events.subscribe(controller.signal);
  const first = stream.next();
  return { stream, first, controller };
}

describe("EventFanOut", () => {
  test("gives every subscriber every event in order, each later than the one before", async () => {
    using events = new EventFanOut(new CreationClock(0));
    const [a, b] = [listen(events), listen(events)];
    expect(events.subscribers).toBe(2);
    publish(events, "1", "2", "3");
    for (const { stream, first } of [a, b]) {
      const { value } = await first;
      const all = [value as PodEvent, ...(await take(stream, 2))];
      expect(ids(all)).toEqual(["1", "2", "3"]);
      expect(all[1]?.createdAtMs).toBeGreaterThan(all[0]?.createdAtMs ?? Number.POSITIVE_INFINITY);
      expect(all[2]?.createdAtMs).toBeGreaterThan(all[1]?.createdAtMs ?? Number.POSITIVE_INFINITY);
    }
  });

  test("keeps what nobody heard for the first subscriber, and only for that one", async () => {
    using events = new EventFanOut(new CreationClock(0));
    publish(events, "early", "later");
    const first = events.subscribe(new AbortController().signal);
    expect(ids(await take(first, 2))).toEqual(["early", "later"]);
    const second = listen(events);
    publish(events, "new");
    expect(((await second.first).value as PodEvent).id).toBe("new");
  });

  test("forgets the oldest of too many that nobody heard, and those that are too old", async () => {
    using events = new EventFanOut(new CreationClock(0));
    publish(events, ...Array.from({ length: backlogLimit + 3 }, (_, index) => String(index)));
    expect((await take(events.subscribe(new AbortController().signal), 1))[0]?.id).toBe("3");

    using stale = new EventFanOut({ next: () => 1 } as unknown as CreationClock);
    publish(stale, "of 1970");
    const controller = new AbortController();
    const stream = stale.subscribe(controller.signal);
    const next = stream.next();
    controller.abort();
    expect((await next).done).toBe(true);
  });

  test("cuts off one that is too slow, at once and alone", async () => {
    using events = new EventFanOut(new CreationClock(0));
    const [slow, quick] = [listen(events), listen(events)];
    let heard = 0;
    const reading = (async () => {
      await quick.first;
      for (heard = 1; heard < subscriberLimit + 2; heard++) await quick.stream.next();
    })();
    publish(events, "first");
    await slow.first;
    for (let index = 0; index <= subscriberLimit; index++) {
      publish(events, String(index));
      if (index % 64 === 0) await new Promise(setImmediate);
    }
    await reading;
    expect(heard).toBe(subscriberLimit + 2);
    await expect(slow.stream.next()).rejects.toMatchObject({ code: "ResourceExhausted" });
    expect(events.subscribers).toBe(1);
  });

  test("ends every subscription when the agent ends, and lets none begin", async () => {
    const events = new EventFanOut(new CreationClock(0));
    const { first } = listen(events);
    events[Symbol.dispose]();
    await expect(first).rejects.toMatchObject({ code: "Unavailable" });
    await expect(listen(events).first).rejects.toMatchObject({ code: "Unavailable" });
  });

  test("lets go of a subscriber that leaves", async () => {
    using events = new EventFanOut(new CreationClock(0));
    const { first, controller } = listen(events);
    controller.abort();
    expect((await first).done).toBe(true);
    expect(events.subscribers).toBe(0);
  });
});

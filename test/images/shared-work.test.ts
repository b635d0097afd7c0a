import { describe, expect, test } from "vitest";
import { delay } from "../../src/common/deadline.ts";
import { SharedWork } from "../../src/images/shared-work.ts";

/** A call that ends when told to, and takes a while to roll back when aborted. */
function slowCall(log: string[]) {
  let finish: () => void = () => undefined;
  const call = async (signal: AbortSignal): Promise<string> => {
    log.push("start");
    try {
      await new Promise<void>((resolve, reject) => {
        finish = resolve;
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
      return "result";
    } catch (error) {
      await delay(20);
      log.push("rolled back");
      throw error;
    }
  };
  return { call, finish: () => finish() };
}

describe("SharedWork", () => {
  test("callers of one key share one call", async () => {
    const [log, work] = [[] as string[], new SharedWork<string>()];
    const { call, finish } = slowCall(log);
    const all = [1, 2, 3].map(() => work.run("a", undefined, call));
    await delay(5);
    finish();
    expect(await Promise.all(all)).toEqual(["result", "result", "result"]);
    expect(log).toEqual(["start"]);
  });

  test("who leaves ends only its own wait, and at once", async () => {
    const [log, work] = [[] as string[], new SharedWork<string>()];
    const { call, finish } = slowCall(log);
    const leaves = work.run("a", AbortSignal.timeout(1), call);
    const stays = work.run("a", undefined, call);
    await expect(leaves).rejects.toMatchObject({ code: "DeadlineExceeded" });
    finish();
    expect(await stays).toBe("result");
    expect(log).toEqual(["start"]);
  });

  test("when all have left the call is aborted; the next caller waits for its roll-back and starts afresh", async () => {
    const [log, work] = [[] as string[], new SharedWork<string>()];
    const { call, finish } = slowCall(log);
    const controller = new AbortController();
    const both = [1, 2].map(() => work.run("a", controller.signal, call));
    controller.abort();
    for (const one of both) await expect(one).rejects.toMatchObject({ code: "Cancelled" });
    const next = work.run("a", undefined, call);
    await delay(60);
    expect(log).toEqual(["start", "rolled back", "start"]);
    finish();
    expect(await next).toBe("result");
  });

  test("a caller whose deadline has passed already starts nothing", async () => {
    const [log, work] = [[] as string[], new SharedWork<string>()];
    await expect(work.run("a", AbortSignal.abort(), slowCall(log).call)).rejects.toMatchObject({ code: "Cancelled" });
    expect(log).toEqual([]);
  });

  test("a failed call fails all its callers, and the next one is new", async () => {
    const work = new SharedWork<string>();
    const failing = async () => {
      throw new Error("no");
    };
    const all = await Promise.allSettled([work.run("a", undefined, failing), work.run("a", undefined, failing)]);
    expect(all.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await work.run("a", undefined, async () => "yes")).toBe("yes");
  });

  test("close() aborts what runs and waits for it", async () => {
    const [log, work] = [[] as string[], new SharedWork<string>()];
    const running = work.run("a", undefined, slowCall(log).call);
    running.catch(() => undefined);
    await work.close();
    expect(log).toEqual(["start", "rolled back"]);
    await expect(running).rejects.toMatchObject({ code: "Unavailable" });
  });
});

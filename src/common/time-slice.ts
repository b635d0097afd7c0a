import { setImmediate as nextTurn } from "node:timers/promises";

/** Longest stretch of work before others on the event loop get their turn. */
const sliceMs = 4;

/** Runs a long chain of short synchronous steps without holding the event loop. @returns what the steps return */
export async function runSliced<Result>(steps: Generator<void, Result, undefined>): Promise<Result> {
  let sliceEndMs = performance.now() + sliceMs;
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (performance.now() < sliceEndMs) continue;
    await nextTurn();
    sliceEndMs = performance.now() + sliceMs;
  }
}

/** Runs the same steps to their end at once, for threads that nobody waits on. */
export function runAtOnce<Result>(steps: Generator<void, Result, undefined>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

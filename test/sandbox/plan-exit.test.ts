import { describe, expect, test } from "vitest";
import { planExit, planLoss } from "../../src/sandbox/plan-exit.ts";

describe("planExit()", () => {
  test.each([
    [0, false, "Completed"],
    [1, false, "Error"],
    [137, false, "Error"],
    [137, true, "OOMKilled"],
    // A child was the victim, and what it meant for the exit code is the first process's affair.
    [9, true, "OOMKilled"],
    [0, true, "OOMKilled"],
  ])("exit code %i, a process killed for want of memory: %s", (exitCode, oomKilled, reason) => {
    expect(planExit({ startedAtMs: 1, finishedAtMs: 2, exitCode, oomKilled })).toMatchObject({ exitCode, reason });
  });

  test("lets nothing end before it began, even when the clock stepped back", () => {
    expect(planExit({ startedAtMs: 5, finishedAtMs: 2, exitCode: 0, oomKilled: false }).finishedAtMs).toBe(5);
  });
});

describe("planLoss()", () => {
  const facts = { startedAtMs: 1, nowMs: 2, message: "nobody saw it" };

  test.each([
    [0, false, { exitCode: 255, reason: "Unknown" }],
    [1, false, { exitCode: 137, reason: "OOMKilled" }],
    // It lived on after that.
    [1, true, { exitCode: 255, reason: "Unknown" }],
  ])("%i processes killed for want of memory, some alive: %s", (oomKills, alive, end) => {
    expect(planLoss({ ...facts, oomKills, alive })).toMatchObject({
      ...end,
      finishedAtMs: 2,
      message: "nobody saw it",
    });
  });
});

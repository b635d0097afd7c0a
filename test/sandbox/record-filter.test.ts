import { describe, expect, test } from "vitest";
import type { ContainerState } from "../../src/sandbox/container-record.ts";
import { matchesContainer, matchesSandbox, shownContainerState } from "../../src/sandbox/record-filter.ts";
import { containerRecord, sandboxRecord } from "./records.ts";

const exited = {
  kind: "exited",
  startedAtMs: 1,
  finishedAtMs: 2,
  exitCode: 0,
  reason: "Completed",
  message: "",
} as const;

describe("matchesSandbox()", () => {
  test.each([
    ["ready", {}, true],
    ["creating", {}, false],
    ["removing", { state: "notReady" }, true],
    ["ready", { state: "notReady" }, false],
    ["ready", { labels: { app: "web" } }, true],
    ["ready", { labels: { app: "db" } }, false],
    ["ready", { labels: { toString: "x" } }, false],
    ["ready", { state: "ready", labels: { app: "web" } }, true],
  ] as const)("a %s sandbox against %j: %s", (state, filter, expected) => {
    expect(matchesSandbox(sandboxRecord({ state }), filter)).toBe(expected);
  });
});

describe("containers", () => {
  test.each<readonly [ContainerState, string]>([
    [{ kind: "created" }, "created"],
    [{ kind: "starting" }, "created"],
    [{ kind: "running", startedAtMs: 1, pid: 2 }, "running"],
    [exited, "exited"],
    [{ kind: "removing", last: exited }, "exited"],
  ])("%j is shown as %s", (state, expected) => expect(shownContainerState(containerRecord(state))).toBe(expected));

  test("one being created is hidden", () => {
    expect(matchesContainer(containerRecord({ kind: "creating" }), {})).toBe(false);
  });
});

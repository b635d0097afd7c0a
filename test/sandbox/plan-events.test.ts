import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ContainerRecord, ContainerState, ExitedState } from "../../src/sandbox/container-record.ts";
import { type EventKind, planContainerEvents, planSandboxEvents } from "../../src/sandbox/plan-events.ts";
import type { SandboxRecord, SandboxState } from "../../src/sandbox/sandbox-record.ts";
import { containerRecord, sandboxRecord } from "./records.ts";

const exited: ExitedState = {
  kind: "exited",
  startedAtMs: 1,
  finishedAtMs: 2,
  exitCode: 0,
  reason: "Completed",
  message: "",
};
const states: Record<ContainerState["kind"], ContainerState> = {
  creating: { kind: "creating" },
  created: { kind: "created" },
  starting: { kind: "starting" },
  running: { kind: "running", startedAtMs: 1, pid: 7 },
  exited,
  removing: { kind: "removing", last: exited },
};
type ContainerLife = ContainerState["kind"] | "none";
type SandboxLife = SandboxState | "none";

const container = (life: ContainerLife): ContainerRecord | undefined =>
  life === "none" ? undefined : containerRecord(states[life]);
const sandbox = (life: SandboxLife): SandboxRecord | undefined =>
  life === "none" ? undefined : sandboxRecord({ state: life });

/** What a subscriber hears of a whole life. */
function told<Life>(lives: readonly Life[], plan: (before: Life, after: Life) => readonly EventKind[]): EventKind[] {
  return lives.slice(1).flatMap((after, index) => plan(lives[index] as Life, after));
}
const toldOfContainer = (...lives: readonly ContainerLife[]) =>
  told(lives, (before, after) => planContainerEvents(container(before), container(after)));
const toldOfSandbox = (...lives: readonly SandboxLife[]) =>
  told(lives, (before, after) => planSandboxEvents(sandbox(before), sandbox(after)));

describe("planContainerEvents()", () => {
  test.each<[string, readonly ContainerLife[], readonly EventKind[]]>([
    [
      "a whole life",
      ["none", "creating", "created", "starting", "running", "exited", "removing", "none"],
      ["created", "started", "stopped", "deleted"],
    ],
    ["a creation that is undone", ["none", "creating", "none"], []],
    ["a start that fails", ["created", "starting", "exited"], ["stopped"]],
    ["a start that a crash cut off before the process", ["starting", "created"], []],
    ["removed without having been started", ["created", "removing", "none"], ["deleted"]],
    ["ended unseen before it was started", ["created", "exited"], ["stopped"]],
    ["a record written again as it was", ["running", "running"], []],
  ])("%s", (_name, lives, kinds) => {
    expect(toldOfContainer(...lives)).toEqual(kinds);
  });
});

describe("planSandboxEvents()", () => {
  test.each<[string, readonly SandboxLife[], readonly EventKind[]]>([
    [
      "a whole life",
      ["none", "creating", "ready", "notReady", "notReady", "removing", "none"],
      ["created", "started", "stopped", "deleted"],
    ],
    ["removed while it runs", ["ready", "removing", "removing", "none"], ["stopped", "deleted"]],
    ["a creation that is undone", ["none", "creating", "none"], []],
    ["a creation that can't be undone", ["creating", "notReady", "removing", "none"], ["created", "deleted"]],
  ])("%s", (_name, lives, kinds) => {
    expect(toldOfSandbox(...lives)).toEqual(kinds);
  });
});

test("whatever happens to what callers see, its events begin with created, end with deleted, and none repeats at once", () => {
  const order: readonly ContainerLife[] = ["created", "starting", "running", "exited", "removing"];
  const shown = fc.subarray([...order], { minLength: 1 });
  fc.assert(
    fc.property(shown, (lives) => {
      const kinds = toldOfContainer("none", "creating", ...lives, "none");
      expect([kinds[0], kinds.at(-1)]).toEqual(["created", "deleted"]);
      expect(new Set(kinds).size).toBe(kinds.length);
    }),
  );
});

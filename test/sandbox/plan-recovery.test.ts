import { describe, expect, test } from "vitest";
import type { ContainerState } from "../../src/sandbox/container-record.ts";
import { type ObservedTask, planContainerRepair, planSandboxRepair } from "../../src/sandbox/plan-recovery.ts";
import type { SandboxState } from "../../src/sandbox/sandbox-record.ts";
import { containerRecord, sandboxRecord } from "./records.ts";

const states: readonly SandboxState[] = ["creating", "ready", "notReady", "removing"];
const shims = ["alive", "dead", "none"] as const;

describe("planSandboxRepair()", () => {
  test.each(
    states.flatMap((state) => shims.flatMap((shim) => [true, false].map((pinned) => ({ state, shim, pinned })))),
  )("has one answer for $state with shim $shim, netns pinned $pinned", ({ state, shim, pinned }) => {
    const repair = planSandboxRepair(sandboxRecord({ state }), { shim, netnsPinned: pinned }, "boot-1");
    const expected =
      state === "creating" || state === "removing"
        ? "remove"
        : state === "notReady"
          ? "stop"
          : pinned && shim !== "dead"
            ? "adopt"
            : "stop";
    expect(repair.kind).toBe(expected);
  });

  test("stops a ready pod of another boot, whatever the host shows", () => {
    const repair = planSandboxRepair(sandboxRecord(), { shim: "alive", netnsPinned: true }, "boot-2");
    expect(repair).toEqual({ kind: "stop", message: "The node was restarted" });
  });
});

const exited = {
  kind: "exited",
  startedAtMs: 1,
  finishedAtMs: 2,
  exitCode: 0,
  reason: "Completed",
  message: "",
} as const;
const running: ContainerState = { kind: "running", startedAtMs: 1, pid: 7 };
type Row = readonly [ContainerState, ObservedTask, "adopt" | "stop" | "remove", string];
const rows: readonly Row[] = [
  [{ kind: "creating" }, "absent", "adopt", "remove"],
  [{ kind: "created" }, "absent", "adopt", "keep"],
  [{ kind: "created" }, "absent", "stop", "lost"],
  [{ kind: "starting" }, "absent", "adopt", "revert"],
  [{ kind: "starting" }, "created", "adopt", "revert"],
  [{ kind: "starting" }, "running", "adopt", "adopt"],
  [{ kind: "starting" }, "stopped", "adopt", "adopt"],
  [{ kind: "starting" }, "absent", "stop", "lost"],
  [running, "running", "adopt", "adopt"],
  [running, "running", "stop", "adopt"],
  [running, "running", "remove", "adopt"],
  [running, "stopped", "adopt", "adopt"],
  [running, "absent", "adopt", "lost"],
  [running, "absent", "stop", "lost"],
  [exited, "absent", "adopt", "keep"],
  [exited, "stopped", "adopt", "delete-task"],
  [{ kind: "removing", last: exited }, "running", "adopt", "remove"],
  [{ kind: "removing", last: exited }, "absent", "stop", "remove"],
];

describe("planContainerRepair()", () => {
  test.each(rows)("%j with its task %s in a pod to %s: %s", (state, task, sandbox, expected) => {
    expect(planContainerRepair(containerRecord(state), task, sandbox).kind).toBe(expected);
  });

  test("never gives up a process that runs", () => {
    for (const sandbox of ["adopt", "stop", "remove"] as const) {
      for (const state of [running, { kind: "starting" } as const]) {
        expect(planContainerRepair(containerRecord(state), "running", sandbox).kind).toBe("adopt");
      }
    }
  });
});

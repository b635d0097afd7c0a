import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ContainerState } from "../../src/sandbox/container-record.ts";
import {
  type ObservedPod,
  type ObservedTask,
  planContainerRepair,
  planSandboxRepair,
  type SandboxRepair,
} from "../../src/sandbox/plan-recovery.ts";
import type { SandboxState } from "../../src/sandbox/sandbox-record.ts";
import { containerRecord, sandboxRecord } from "./records.ts";

type Cells<Column extends string> = Readonly<Record<Column, string>>;
type ShimColumn = ObservedPod["shim"];

/**
 * Every record state × boot × network namespace, with a column for what the shim does. One word means all four.
 */
const sandboxTable: Readonly<
  Record<SandboxState, Readonly<Record<`${ObservedPod["boot"]} ${ObservedPod["netns"]}`, string | Cells<ShimColumn>>>>
> = {
  creating: { "same there": "remove", "same gone": "remove", "other there": "remove", "other gone": "remove" },
  ready: {
    "same there": { answers: "adopt", none: "adopt", silent: "wait", dead: "stop: The pod's shim is gone" },
    "same gone": "stop: The pod's network namespace is gone",
    "other there": "stop: The node was restarted",
    "other gone": "stop: The node was restarted",
  },
  notReady: {
    "same there": "stop: as recorded",
    "same gone": "stop: as recorded",
    "other there": "stop: as recorded",
    "other gone": "stop: as recorded",
  },
  removing: { "same there": "remove", "same gone": "remove", "other there": "remove", "other gone": "remove" },
};

const neverStarted = "lost: The pod ended before the container was started";
const endedStarting = "lost: The pod ended while the container was starting";
const unwatched = "lost: The container ended while nobody watched";

/** Every record state × what is done with the pod, with a column for the task. One word means all five. */
const containerTable: Readonly<
  Record<ContainerState["kind"], Readonly<Record<SandboxRepair["kind"], string | Cells<ObservedTask>>>>
> = {
  creating: { adopt: "remove", wait: "remove", stop: "remove", remove: "remove" },
  created: { adopt: "keep", wait: "keep", stop: neverStarted, remove: neverStarted },
  starting: {
    adopt: { created: "revert", running: "adopt", stopped: "adopt", absent: "revert", unknown: "wait" },
    wait: { created: "revert", running: "adopt", stopped: "adopt", absent: "revert", unknown: "wait" },
    stop: { created: endedStarting, running: "adopt", stopped: "adopt", absent: endedStarting, unknown: "wait" },
    remove: { created: endedStarting, running: "adopt", stopped: "adopt", absent: endedStarting, unknown: "wait" },
  },
  running: {
    adopt: { created: unwatched, running: "adopt", stopped: "adopt", absent: unwatched, unknown: "wait" },
    wait: { created: unwatched, running: "adopt", stopped: "adopt", absent: unwatched, unknown: "wait" },
    stop: { created: unwatched, running: "adopt", stopped: "adopt", absent: unwatched, unknown: "wait" },
    remove: { created: unwatched, running: "adopt", stopped: "adopt", absent: unwatched, unknown: "wait" },
  },
  exited: {
    adopt: { created: "delete-task", running: "delete-task", stopped: "delete-task", absent: "keep", unknown: "wait" },
    wait: { created: "delete-task", running: "delete-task", stopped: "delete-task", absent: "keep", unknown: "wait" },
    stop: { created: "delete-task", running: "delete-task", stopped: "delete-task", absent: "keep", unknown: "wait" },
    remove: { created: "delete-task", running: "delete-task", stopped: "delete-task", absent: "keep", unknown: "wait" },
  },
  removing: { adopt: "remove", wait: "remove", stop: "remove", remove: "remove" },
};

const boots = ["same", "other"] as const;
const pins = ["there", "gone"] as const;
const shims = ["answers", "silent", "dead", "none"] as const;
const tasks = ["created", "running", "stopped", "absent", "unknown"] as const;
const repairs = ["adopt", "wait", "stop", "remove"] as const;
const exited = {
  kind: "exited",
  startedAtMs: 1,
  finishedAtMs: 2,
  exitCode: 0,
  reason: "Completed",
  message: "",
} as const;
const states: Readonly<Record<ContainerState["kind"], ContainerState>> = {
  creating: { kind: "creating" },
  created: { kind: "created" },
  starting: { kind: "starting" },
  running: { kind: "running", startedAtMs: 1, pid: 7 },
  exited,
  removing: { kind: "removing", last: exited },
};
const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>) => Object.keys(table) as Name[];
const inWords = (repair: { readonly kind: string; readonly message?: string }) =>
  repair.message === undefined ? repair.kind : `${repair.kind}: ${repair.message}`;

const sandboxRows = namesOf(sandboxTable).flatMap((state) =>
  boots.flatMap((boot) =>
    pins.flatMap((netns) =>
      shims.map((shim) => {
        const cell = sandboxTable[state][`${boot} ${netns}`];
        return { state, boot, netns, shim, expected: typeof cell === "string" ? cell : cell[shim] };
      }),
    ),
  ),
);

const containerRows = namesOf(containerTable).flatMap((state) =>
  repairs.flatMap((pod) =>
    tasks.map((task) => {
      const cell = containerTable[state][pod];
      return { state, pod, task, expected: typeof cell === "string" ? cell : cell[task] };
    }),
  ),
);

describe("planSandboxRepair()", () => {
  test("the table has every pair", () => {
    expect(sandboxRows).toHaveLength(4 * 2 * 2 * 4);
    expect(containerRows).toHaveLength(6 * 4 * 5);
  });

  test.each(sandboxRows)("$state, $boot boot, netns $netns, shim $shim: $expected", (row) => {
    const record = sandboxRecord({ state: row.state, message: "as recorded" });
    expect(inWords(planSandboxRepair(record, row))).toBe(row.expected);
  });

  test("ends no ready pod of this boot but for positive proof that it is broken", () => {
    for (const { state, boot, netns, shim, expected } of sandboxRows) {
      if (state !== "ready" || boot !== "same") continue;
      expect(/^(adopt|wait)$/.test(expected)).toBe(netns === "there" && shim !== "dead");
    }
  });
});

describe("planContainerRepair()", () => {
  test.each(containerRows)(
    "$state with its task $task in a pod to $pod: $expected",
    ({ state, task, pod, expected }) => {
      expect(inWords(planContainerRepair(containerRecord(states[state]), task, pod))).toBe(expected);
    },
  );

  test("never gives up a process that runs, or may run", () => {
    for (const { state, task, expected } of containerRows) {
      if ((state !== "running" && state !== "starting") || !["running", "unknown"].includes(task)) continue;
      expect(expected).toBe(task === "running" ? "adopt" : "wait");
    }
  });
});

test("docs/recovery.md shows both tables as they are tested here", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/recovery.md"), "utf8");
  const rows = page
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.replaceAll("`", "").trim()),
    );
  for (const { state, boot, netns, shim, expected } of sandboxRows) {
    const row = rows.find((cells) => cells[0] === state && cells[1] === boot && cells[2] === netns);
    expect(row?.[3 + shims.indexOf(shim)], `${state}, ${boot}, ${netns}, ${shim}`).toBe(expected.split(":")[0]);
  }
  for (const { state, pod, task, expected } of containerRows) {
    const row = rows.find((cells) => cells[0] === state && cells[1] === pod);
    expect(row?.[2 + tasks.indexOf(task)], `${state}, ${pod}, ${task}`).toBe(expected.split(":")[0]);
  }
});

import { expect, test } from "vitest";
import { planKillTree, type SeenProcess } from "../../src/runtime/plan-kill-tree.ts";

/** @param startTicks 10 for each pid: what tells a process from a later one of the same number */
function seen(pid: number, parentPid: number, sessionId: number, more: Partial<SeenProcess> = {}): SeenProcess {
  return { pid, parentPid, sessionId, startTicks: pid * 10, state: "S", holdsPipe: false, ...more };
}

const root = { pid: 100, startTicks: 1000 };
const bystanders = [seen(1, 0, 1), seen(50, 1, 50), seen(51, 50, 50), seen(200, 1, 200)];

const cases: ReadonlyArray<readonly [what: string, processes: readonly SeenProcess[], want: readonly number[]]> = [
  ["the root alone", [seen(100, 50, 100)], [100]],
  ["children and grandchildren", [seen(100, 50, 100), seen(101, 100, 100), seen(102, 101, 100)], [100, 101, 102]],
  ["children listed before their parents", [seen(90, 95, 100), seen(95, 100, 100), seen(100, 50, 100)], [90, 95, 100]],
  ["an orphan of the root's session", [seen(100, 50, 100), seen(103, 1, 100)], [100, 103]],
  ["an orphan of a session whose leader has gone", [seen(103, 1, 100)], [100, 103]],
  ["a session that a child leads", [seen(100, 50, 100), seen(101, 100, 101), seen(104, 1, 101)], [100, 101, 104]],
  ["a daemon that kept a pipe", [seen(100, 50, 100), seen(105, 1, 105, { holdsPipe: true })], [100, 105]],
  ["not the session of a root that leads none", [seen(100, 50, 50)], [100]],
  [
    "not the children of a later process of the root's number",
    [seen(100, 1, 100, { startTicks: 9999 }), seen(106, 100, 100)],
    [100],
  ],
];

test.each(cases)("planKillTree() finds %s", (_, processes, want) => {
  const victims = planKillTree([...bystanders, ...processes], new Map([[root.pid, root]]));
  expect([...victims.keys()].sort((a, b) => a - b)).toEqual(want);
});

test("planKillTree() keeps what an earlier pass found", () => {
  const child = { pid: 101, startTicks: 1010 };
  const known = new Map([
    [root.pid, root],
    [child.pid, child],
  ]);
  const victims = planKillTree([...bystanders, seen(107, 101, 300), seen(101, 1, 300)], known);
  expect([...victims.keys()]).toEqual([100, 101, 107]);
});

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Agent } from "../support/agent.ts";
import { expectNoLeaks, expectNothingLeft, type HostSnapshot, hostSnapshot } from "../support/leak-check.ts";
import { cannotRun } from "../support/requirements.ts";
import { startConformanceAgent } from "./conformance-agent.ts";
import { listSpecs, runCritest, type SpecResult } from "./critest.ts";
import { expectedSkip, expectedSkips, type Handler, leftOutSpecs } from "./expected-skips.ts";

const handlers: readonly Handler[] = ["runc", "crun"];
/** How long critest may take for all specs on one handler, on a machine busy with other things. */
const suiteTimeoutMs = 1_500_000;
const unable = cannotRun("critest", "crictl", "docker-registry", "runc", "crun", "ipcmk");
const specs = unable ? [] : await listSpecs();

describe.skipIf(unable)("critest", () => {
  const resources = new AsyncDisposableStack();
  let agent: Agent | undefined;
  let before: HostSnapshot | undefined;

  beforeAll(async () => {
    agent = await startConformanceAgent(resources);
    before = await hostSnapshot(agent);
  });
  afterAll(() => resources.disposeAsync());

  /** Runs critest once for the tests of a block. @returns the results by spec, once the tests run */
  function useCritest(handler: Handler, run: { readonly focus?: string; readonly flags?: readonly string[] } = {}) {
    let results = new Map<string, SpecResult>();
    let logged = 0;
    beforeAll(async () => {
      if (agent === undefined) throw new Error("No agent");
      logged = agent.log().length;
      const leaveOut = leftOutSpecs(handler, specs);
      const list = await runCritest({ ...run, socket: agent.socket, handler, leaveOut, timeoutMs: suiteTimeoutMs });
      results = new Map(list.map((result) => [result.name, result]));
      if (list.some(({ outcome }) => outcome === "failed")) {
        process.stderr.write(`the agent's last words on ${handler}:\n${agent.log().slice(logged).slice(-8000)}\n`);
      }
    }, suiteTimeoutMs);
    return () => results;
  }

  describe.each(handlers)("on %s", (handler) => {
    const results = useCritest(handler);

    test.for(specs)("%s", (spec, { skip }) => checkSpec(results(), handler, spec, skip));

    test("runs the specs of critest's own list and no others", () => {
      expect([...results().keys()].filter((name) => !specs.includes(name))).toEqual([]);
    });

    test("skips nothing that docs/conformance.md does not name, and all it names", () => {
      const skipped = specs.filter((spec) => results().get(spec)?.outcome !== "passed");
      expect(skipped.toSorted()).toEqual(documentedSkips(handler).toSorted());
    });
  });

  describe.each(handlers)("over WebSocket on %s", (handler) => {
    const flags = ["-websocket-exec", "-websocket-attach", "-websocket-portforward"];
    const results = useCritest(handler, { focus: "Streaming", flags });
    const streaming = specs.filter((spec) => spec.includes("Streaming"));

    test.for(streaming)("%s", (spec, { skip }) => checkSpec(results(), handler, spec, skip));
  });

  test("leaves nothing behind", async () => {
    if (agent === undefined || before === undefined) throw new Error("No agent");
    await expectNoLeaks(agent, before, { imagesKept: true });
    await agent.stop();
    await expectNothingLeft(agent);
  });
});

test.skipIf(unable)("critest has the specs this suite was written for", () => {
  expect(specs.length).toBe(117);
  for (const entry of expectedSkips) expect(specs.filter((spec) => entry.specs.test(spec))).not.toEqual([]);
});

/** A spec that the table lets be skipped has to be, and counts as skipped. */
function checkSpec(
  results: ReadonlyMap<string, SpecResult>,
  handler: Handler,
  spec: string,
  skip: (reason: string) => never,
): void {
  const result = results.get(spec);
  const expected = expectedSkip(handler, spec);
  if (expected === undefined) {
    expect(`${result?.outcome ?? "not run"} ${result?.outcome === "passed" ? "" : result?.message}`.trim()).toBe(
      "passed",
    );
    return;
  }
  expect(result?.outcome ?? "left out").toBe(expected.leftOut ? "left out" : "skipped");
  skip(expected.reason);
}

/** Specs that docs/conformance.md names as skipped on a handler and that are so on this machine. */
function documentedSkips(handler: Handler): readonly string[] {
  const page = readFileSync(join(import.meta.dirname, "../../docs/conformance.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(\[k8s\.io\][^`]*)` \| ([^|]*) \|/gm)];
  return rows
    .filter(([, , where = ""]) => where.includes(handler))
    .map(([, spec = ""]) => spec)
    .filter((spec) => expectedSkip(handler, spec) !== undefined);
}

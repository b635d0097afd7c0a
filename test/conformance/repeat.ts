// Runs critest again and again against one agent and tells which specs did not always do the same: `make conformance`.
// Environment: HANDLER (runc, crun), NETWORK (local-vpc, cni), RUNS, FOCUS (a regular expression of spec names), FLAGS (of critest, by blanks).
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory } from "../support/debian-package.ts";
import { expectNoLeaks, hostSnapshot } from "../support/leak-check.ts";
import { type ConformanceNetwork, startConformanceAgent } from "./conformance-agent.ts";
import { listSpecs, runCritest, type SpecResult } from "./critest.ts";
import { type Handler, leftOutSpecs } from "./expected-skips.ts";

const handler = (process.env["HANDLER"] || "runc") as Handler;
if (!["runc", "crun"].includes(handler)) throw new Error(`HANDLER is "${handler}", and must be runc or crun`);
const network = (process.env["NETWORK"] || "local-vpc") as ConformanceNetwork;
if (!["local-vpc", "cni"].includes(network)) throw new Error(`NETWORK is "${network}", and must be local-vpc or cni`);
const runs = Number(process.env["RUNS"] || "1");
const focus = process.env["FOCUS"] || undefined;
const flags = (process.env["FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");

const say = (line: string) => process.stdout.write(`${line}\n`);
const outcomes = new Map<string, SpecResult[]>();
await using resources = new AsyncDisposableStack();
const agent = await startConformanceAgent(resources, network);
const leaveOut = leftOutSpecs(handler, await listSpecs());
const logPath = join(cacheDirectory, `conformance-${handler}-${process.pid}.log`);
let leaks = 0;

for (let run = 1; run <= runs; run++) {
  const before = await hostSnapshot(agent);
  const startedMs = performance.now();
  const results = await runCritest({
    socket: agent.socket,
    handler,
    flags,
    leaveOut,
    ...(focus === undefined ? {} : { focus }),
    timeoutMs: 1_800_000,
  });
  for (const result of results) outcomes.set(result.name, [...(outcomes.get(result.name) ?? []), result]);
  const count = (outcome: SpecResult["outcome"]) => results.filter((result) => result.outcome === outcome).length;
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  say(`run ${run}: ${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped in ${seconds} s`);
  for (const { name, message } of results.filter(({ outcome }) => outcome === "failed")) {
    say(
      `  failed: ${name}\n${message
        .split("\n")
        .map((line) => `      ${line}`)
        .join("\n")}`,
    );
  }
  try {
    await expectNoLeaks(agent, before, { imagesKept: true });
  } catch (error) {
    leaks++;
    say(`  ${error instanceof Error ? error.message : String(error)}`);
  }
}

say(`\n${outcomes.size} specs on ${handler} and ${network}, ${runs} run(s), ${leaks} with leaks`);
let failed = leaks;
for (const [name, results] of [...outcomes].sort()) {
  const bad = results.filter(({ outcome }) => outcome === "failed").length;
  failed += bad;
  if (bad > 0) say(`  ${bad} of ${results.length} failed: ${name}`);
  else if (results[0]?.outcome === "skipped") say(`  skipped: ${name}: ${results[0].message}`);
}
writeFileSync(logPath, agent.log());
say(`the agent's log: ${logPath}`);
process.exitCode = failed > 0 ? 1 : 0;

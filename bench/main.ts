import { existsSync } from "node:fs";
import { relative } from "node:path";
import { alignCells, sizeText } from "../src/cli/output.ts";
import { errorText } from "../src/common/errors.ts";
import { lockFile } from "../src/system/file-lock.ts";
import { allCases } from "./all-cases.ts";
import type { Bench } from "./bench-case.ts";
import { removeEverything } from "./clean-up.ts";
import { startContainerd } from "./containerd-side.ts";
import { provideImages } from "./images.ts";
import { readMachine } from "./machine.ts";
import { place } from "./place.ts";
import { startPodling } from "./podling-side.ts";
import { startRegistry } from "./registry.ts";
import { caseTable, writeResults } from "./report.ts";
import type { CaseResult } from "./sample.ts";
import { readSettings, type Settings } from "./settings.ts";
import type { Sides } from "./side.ts";
import { mountStorage } from "./storage.ts";

const interrupt = new AbortController();
// An interrupted call may still wait for its answer.
process.exit(await main());

async function main(): Promise<number> {
  if (process.getuid?.() !== 0) return refuse("It makes mounts and network namespaces: run it as root");
  let settings: Settings;
  try {
    settings = readSettings(
      process.env,
      allCases.map(({ name }) => name),
    );
  } catch (error) {
    return refuse(errorText(error));
  }
  using lock = takeLock();
  if (lock === undefined) return refuse("Another benchmark runs right now: wait for its end");
  if (existsSync(place.base)) await removeEverything();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => interrupt.abort(new Error(`Interrupted by ${signal}`)));
  }
  let exitCode = 0;
  try {
    await untilAborted(compare(settings), interrupt.signal);
  } catch (error) {
    process.stderr.write(`\nbench: ${errorText(error)}\n`);
    exitCode = 1;
  }
  await removeEverything();
  return exitCode;
}

/** Waits for the work, or throws the signal's reason. */
function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  return Promise.race([work, aborted]);
}

function takeLock(): Disposable | undefined {
  try {
    return lockFile(place.lock);
  } catch {
    return undefined;
  }
}

function refuse(reason: string): number {
  process.stderr.write(`bench: ${reason}\n`);
  return 2;
}

async function compare(settings: Settings): Promise<void> {
  const startedAt = new Date();
  const storage = await mountStorage(settings.storage);
  const host = await startRegistry();
  const images = await provideImages(host, tell);
  const sides: Sides = [await startPodling(settings.snapshotter), await startContainerd()];
  const facts = await readMachine(sides, storage, settings.snapshotter);
  process.stdout.write(indented(alignCells([...facts])));
  for (const { reference, layers, sizeBytes } of [images["large-one"], images["large-ten"], images["many-small"]]) {
    tell(`${reference}: ${layers === 1 ? "one layer" : `${layers} layers`}, ${sizeText(sizeBytes)} compressed`);
  }
  const bench: Bench = { sides, images, settings, signal: interrupt.signal, tell };
  const results = new Map<string, CaseResult>();
  for (const one of allCases.filter(({ name }) => settings.cases.has(name))) {
    interrupt.signal.throwIfAborted();
    process.stdout.write(`\n${one.name}: ${one.title}\n`);
    const result = await one.run(bench);
    results.set(one.name, result);
    process.stdout.write(indented(caseTable(one, result)));
    writeResults(facts, results, startedAt);
  }
  process.stdout.write(`\nEvery raw value: ${relative(".", writeResults(facts, results, startedAt))}\n`);
}

function tell(line: string): void {
  process.stdout.write(`  ${line}\n`);
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}

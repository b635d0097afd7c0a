import { parentPort } from "node:worker_threads";
import { errorText } from "../common/errors.ts";
import { runSliced } from "../common/time-slice.ts";
import { detectCgroups } from "../system/cgroup.ts";
import { LinkCounterReader, type LinkCounters } from "../system/link-counters.ts";

import { measureTree, type TreeUsage } from "../system/tree-usage.ts";
import { type GroupQuestion, type GroupReading, listHugepageSizes, readGroup } from "./read-group.ts";

/**
 * The thread that reads counters: hundreds of small files, and namespaces to enter. A walk over a writable layer gives
 * way to every question that comes meanwhile.
 */

/** What the main thread sends. */
export type UsageRequest = { readonly id: number } & (
  | { readonly kind: "read"; readonly groups: readonly GroupQuestion[]; readonly netns: readonly string[] }
  | { readonly kind: "measure"; readonly directory: string }
);

/** One answer of several: what failed leaves the others whole. */
export type Reading<Value> = { readonly value: Value } | { readonly error: string };

export interface UsageReadings {
  /** In the order of the question; undefined: there is no such group. */
  readonly groups: readonly Reading<GroupReading | undefined>[];
  readonly links: readonly Reading<readonly LinkCounters[]>[];
}

/** What it gets back. */
export type UsageAnswer = { readonly id: number } & Reading<UsageReadings | TreeUsage | undefined>;

const layout = detectCgroups();
const hugepageSizes = listHugepageSizes();
const links = new LinkCounterReader();

parentPort?.on("message", (request: UsageRequest) => {
  void answer(request).then((message) => parentPort?.postMessage(message));
});

async function answer(request: UsageRequest): Promise<UsageAnswer> {
  try {
    return { id: request.id, value: await carryOut(request) };
  } catch (error) {
    return { id: request.id, error: errorText(error) };
  }
}

async function carryOut(request: UsageRequest): Promise<UsageReadings | TreeUsage | undefined> {
  if (request.kind === "measure") return await runSliced(measureTree(request.directory));
  return {
    groups: request.groups.map((question) => attempt(() => readGroup(layout, question, hugepageSizes))),
    links: request.netns.map((path) => attempt(() => links.read(path))),
  };
}

function attempt<Value>(read: () => Value): Reading<Value> {
  try {
    return { value: read() };
  } catch (error) {
    return { error: errorText(error) };
  }
}

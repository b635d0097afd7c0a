import { existsSync, rmSync } from "node:fs";
import { isAlive } from "../src/system/process.ts";
import { CriClient } from "../test/support/cri-client.ts";
import { eventually } from "../test/support/eventually.ts";
import { type InstanceObjects, readInstanceObjects } from "../test/support/instance-objects.ts";
import { readRecords } from "../test/support/records.ts";
import { sweepInstance } from "../test/support/sweep-instance.ts";
import { place } from "./place.ts";
import { endProcess, notedProcesses } from "./processes.ts";

/** Whether a demo that was kept, or killed, has left something. */
export function hasRemains(): boolean {
  return existsSync(place.base) || existsSync(place.state);
}

/** Takes the demo off the machine, as far as possible by asking its agent, the rest by force. */
export async function removeEverything(): Promise<void> {
  const { agent, registry } = notedProcesses();
  if (agent !== undefined && isAlive(agent)) {
    await removePods();
    await endProcess(agent, 20_000);
  }
  await sweepInstance(place);
  if (registry !== undefined) await endProcess(registry, 5_000);
  rmSync(place.state, { recursive: true, force: true });
  rmSync(place.base, { recursive: true, force: true });
}

/** All that carries the instance's name on the machine, records included. */
export async function remains(): Promise<InstanceObjects> {
  return { ...(await readInstanceObjects(place)), ...readRecords(place) };
}

/** Waits until nothing carries the instance's name. @throws naming what does */
export async function expectNothingLeft(): Promise<void> {
  let left: readonly string[] = [];
  try {
    // Shims end, and the kernel lets go of namespaces, a moment after the call that removed them was answered.
    await eventually("a clean machine", async () => {
      left = Object.entries(await remains()).flatMap(([kind, names]) => names.map((name) => `${kind} ${name}`));
      return left.length === 0;
    });
  } catch (error) {
    throw new Error(`The agent left behind:\n${left.join("\n")}`, { cause: error });
  }
}

/** An agent that does not answer any more must not keep its pods from being removed: the sweep has no questions. */
async function removePods(): Promise<void> {
  using cri = new CriClient(place.socket);
  const limit = { timeoutMs: 20_000 };
  try {
    const { items } = await cri.call("ListPodSandbox", {}, limit);
    for (const { id } of items) {
      await cri.call("StopPodSandbox", { pod_sandbox_id: id }, limit);
      await cri.call("RemovePodSandbox", { pod_sandbox_id: id }, limit);
    }
  } catch {
    return;
  }
}

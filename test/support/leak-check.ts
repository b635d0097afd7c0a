import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { shimSocketPath } from "../../src/runtime/shim-launcher.ts";
import { listMounts } from "../../src/system/mountinfo.ts";
import type { Agent } from "./agent.ts";
import { output } from "./command.ts";
import { eventually } from "./eventually.ts";
import { type InstanceObjects, openFiles, readInstanceObjects } from "./instance-objects.ts";
import { readRecords } from "./records.ts";
import type { TestInstance } from "./test-instance.ts";

/** What an agent and the host had at one moment. */
export interface HostSnapshot {
  /** The instance's own: must be the same again. */
  readonly own: InstanceObjects;
  /** The machine's: nothing may be added that nobody else owns. */
  readonly shared: InstanceObjects;
}

/** Kinds that pulled images add to. */
const imageKinds = ["record in images", "record in snapshots", "snapshot", "content"];

/** Takes the picture that {@link expectNoLeaks} compares with. */
export async function hostSnapshot(agent: Agent): Promise<HostSnapshot> {
  const own = await readInstanceObjects(agent.instance);
  const open = agent.running ? openFiles(agent.pid, agent.instance) : [];
  return { own: { ...own, ...readRecords(agent.instance), "open file": open }, shared: await readShared(agent) };
}

/**
 * Waits until the agent and the host have nothing that they did not have before.
 * @param options.imagesKept images pulled meanwhile are meant to stay
 * @throws Error with one line for each thing too many, or too few
 */
export async function expectNoLeaks(
  agent: Agent,
  before: HostSnapshot,
  options: { readonly imagesKept?: boolean; readonly timeoutMs?: number } = {},
): Promise<void> {
  const ignored = options.imagesKept ? imageKinds : [];
  let left: readonly string[] = [];
  const clean = async () => {
    const after = await hostSnapshot(agent);
    left = [...differences(before.own, after.own, ignored), ...additions(before.shared, after.shared)];
    return left.length === 0;
  };
  try {
    // Shims end, and the kernel lets go of namespaces, a moment after the call that removed them was answered.
    await eventually("a clean host", clean, options.timeoutMs ?? 10_000);
  } catch (error) {
    throw new Error(`Left behind (+) or lost (-):\n${left.join("\n")}`, { cause: error });
  }
}

/** Waits until nothing carries the instance's name any more, as after the end of an agent without pods. */
export async function expectNothingLeft(agent: Agent): Promise<void> {
  const durable = ["snapshot", "content", "container disk", "ingest"];
  let left: readonly string[] = [];
  const gone = async () => {
    left = differences({}, await readInstanceObjects(agent.instance), durable);
    return left.length === 0;
  };
  try {
    await eventually("nothing of the instance on the host", gone, 10_000);
  } catch (error) {
    throw new Error(`Left behind (+):\n${left.join("\n")}`, { cause: error });
  }
}

function differences(before: InstanceObjects, after: InstanceObjects, ignored: readonly string[]): readonly string[] {
  return [...additions(before, after, "+"), ...additions(after, before, "-")].filter(
    (line) => !ignored.some((kind) => line.slice(2).startsWith(`${kind}: `)),
  );
}

function additions(before: InstanceObjects, after: InstanceObjects, sign = "+"): readonly string[] {
  return Object.entries(after).flatMap(([kind, names]) =>
    names.filter((name) => !before[kind]?.includes(name)).map((name) => `${sign} ${kind}: ${name}`),
  );
}

/** Host objects that no other agent's name explains: other tests may run beside this one. */
async function readShared(agent: Agent): Promise<InstanceObjects> {
  const links = JSON.parse(await output(["ip", "-j", "link"])) as { ifname: string; ifalias?: string }[];
  const { name } = agent.instance;
  // Links of other agents say so; containerd and other tests beside us name theirs otherwise.
  const ours = ({ ifname, ifalias = "" }: (typeof links)[number]) =>
    ifalias === "" ? agentLinkName.test(ifname) : ifalias.includes(`/${name}/`);
  return {
    "host link": links.filter(ours).map((link) => link.ifname),
    "host mount": listMounts()
      .map((mount) => mount.target)
      .filter((target) => target.includes(name)),
    "dead shim socket": deadShimSockets(agent.instance, agent.log()),
  };
}

/** How an agent names links before their alias says whose they are. */
const agentLinkName = /^(?:ngw|eni)[a-z2-7]{10,12}$/;

/** Socket files that nobody listens on, of shims of every sandbox the agent has ever named in its log. */
function deadShimSockets(instance: TestInstance, log: string): readonly string[] {
  const listening = readFileSync("/proc/net/unix", "utf8");
  const events = join(instance.state, "events.sock");
  return [...new Set(log.match(/\b[0-9a-f]{64}\b/g))]
    .map((id) => shimSocketPath(events, `podling-${instance.name}`, id))
    .filter((path) => existsSync(path) && !listening.includes(path));
}

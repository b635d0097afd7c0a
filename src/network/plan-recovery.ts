import type { LinkInfo } from "../system/kernel-command.ts";
import type { EniRecord } from "./eni-record.ts";
import { shapingLink } from "./plan-shaping.ts";

/** What was seen in the kernel when the agent started. */
export interface ObservedNetwork {
  /** Ids of the sandboxes that have records. */
  readonly live: ReadonlySet<string>;
  /** Pod pins that are living namespaces. */
  readonly pinnedPods: ReadonlySet<string>;
  /** Links of each VPC's router. */
  readonly routerLinks: ReadonlyMap<string, readonly LinkInfo[]>;
  /** Links of ENIs whose records can't be read. */
  readonly unreadableLinks?: ReadonlySet<string>;
}

export interface RecoveryPlan {
  /** Their pod is gone: cut off, and their addresses cool down. */
  readonly release: readonly EniRecord[];
  /** Their link is there: everything else is set again, for it may be half made. */
  readonly adopt: readonly EniRecord[];
  /** Their link is not: the whole interface is made again. */
  readonly rebuild: readonly EniRecord[];
  /** Released already; their links are still to be seen off. */
  readonly finish: readonly EniRecord[];
  /** Links in our routers that no record tells of, by VPC. */
  readonly orphans: ReadonlyMap<string, readonly string[]>;
}

/** Pure: records × what lives → repairs. */
export function planRecovery(records: readonly EniRecord[], observed: ObservedNetwork): RecoveryPlan {
  const fateOf = (record: EniRecord): "release" | "adopt" | "rebuild" | "finish" => {
    if (record.state === "releasing") return "finish";
    // Without its namespace a pod can't come back, whatever its sandbox's record says.
    if (!observed.live.has(record.sandboxId) || !observed.pinnedPods.has(record.netnsPath)) return "release";
    const links = observed.routerLinks.get(record.network.vpcId) ?? [];
    return links.some(({ name }) => name === record.linkName) ? "adopt" : "rebuild";
  };
  const fates = Map.groupBy(records, fateOf);
  const orphans = new Map<string, readonly string[]>();
  for (const [vpcId, links] of observed.routerLinks) {
    const own = records.filter(({ network }) => network.vpcId === vpcId).map(({ linkName }) => linkName);
    const known = new Set([...own, ...(observed.unreadableLinks ?? [])].flatMap((name) => [name, shapingLink(name)]));
    const stray = links.filter(({ name }) => /^(?:eni|ifb)/.test(name) && !known.has(name)).map(({ name }) => name);
    if (stray.length > 0) orphans.set(vpcId, stray);
  }
  return {
    release: fates.get("release") ?? [],
    adopt: fates.get("adopt") ?? [],
    rebuild: fates.get("rebuild") ?? [],
    finish: fates.get("finish") ?? [],
    orphans,
  };
}

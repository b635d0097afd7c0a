import { readdirSync } from "node:fs";
import { AgentError, errnoOf, errorText } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Log } from "../common/log.ts";
import type { Database } from "../state/database.ts";
import { RecordTable } from "../state/record-table.ts";
import { hostNetns, type LinkInfo } from "../system/kernel-command.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import { netnsDirectory } from "../system/netns-directory.ts";
import { formatCidr, parseCidr } from "./cidr.ts";
import type { EniRecord } from "./eni-record.ts";
import type { GroupRules } from "./group-rules.ts";
import type { EniBinding } from "./plan-eni.ts";
import { planEipRoutes, snatAddresses } from "./plan-host-eips.ts";
import { planHostPortSysctls } from "./plan-host-ports.ts";
import { checkEips, checkHostReach, type HostNetwork, podMtu, takenRanges } from "./plan-host-reach.ts";
import { planHostRules, planHostRulesRemoval } from "./plan-host-rules.ts";
import { planLinkNet } from "./plan-link-net.ts";
import type { NetworkConfig, Vpc } from "./vpc-config.ts";
import { ensureRouter, removeRouter } from "./vpc-router.ts";
import {
  decodeVpcRecord,
  gatewayLink,
  linkNetSeed,
  routerPinPrefix,
  routerSpec,
  type VpcRecord,
  type VpcRouterSpec,
  vpcOfRecord,
  vpcRecord,
} from "./vpc-router-spec.ts";

export interface VpcRoutersDeps {
  readonly instance: string;
  readonly config: NetworkConfig;
  readonly database: Database;
  readonly kernel: KernelWorker;
  readonly log: Log;
}

/** The routers of an instance's VPCs, and the host's rules and routes that belong to them. */
export class VpcRouters {
  readonly #deps: VpcRoutersDeps;
  readonly #table: RecordTable<VpcRecord>;
  readonly #specs = new Map<string, VpcRouterSpec>();
  /** Routers to be removed before the others are made. */
  #doomed: VpcRouterSpec[] = [];

  constructor(deps: VpcRoutersDeps) {
    this.#deps = deps;
    this.#table = new RecordTable(deps.database, "vpcs", decodeVpcRecord);
  }

  /** The router of a VPC, or undefined when there is none. */
  get(vpcId: string): VpcRouterSpec | undefined {
    return this.#specs.get(vpcId);
  }

  /**
   * Decides which routers there shall be: those of the configuration, and those that still serve pods.
   * Nothing in the kernel is touched.
   * @param inUse ids of VPCs that have ENIs
   * @throws AgentError FailedPrecondition for a range in use on the host, or changed under living pods
   */
  async plan(inUse: ReadonlySet<string>): Promise<void> {
    const host = await this.#readHost();
    const { config, instance, log } = this.#deps;
    const before = new Map(
      this.#table
        .list((id, error) => log.error({ vpc: id, error: errorText(error) }, "a VPC's record can't be read"))
        .map((record) => [record.id, record]),
    );
    const recorded = new Map(before);
    const configured = new Map(config.vpcs.map((vpc) => [vpc.id, vpc]));
    const taken = [...takenRanges(host), ...Array.from(recorded.values(), linkRange)];
    for (const vpc of config.vpcs) {
      const record = recordFor(instance, vpc, recorded.get(vpc.id), inUse.has(vpc.id), taken);
      taken.push(linkRange(record));
      recorded.set(vpc.id, record);
    }
    for (const record of recorded.values()) {
      // Of several VPCs the first is the node's own: ranges may be the same in all, and a route leads to one place only.
      const reachableFromHost = record.id === config.vpcs[0]?.id;
      const spec = routerSpec(instance, record, { reachableFromHost, mtu: podMtu(host) });
      if (reachableFromHost) checkHostReach(spec.vpc, spec.hostLink, host);
      const old = before.get(record.id);
      const outdated = old !== undefined && !sameRanges(old, record);
      const wanted = configured.has(record.id) || inUse.has(record.id);
      if (outdated || !wanted) this.#doomed.push(spec);
      if (wanted) this.#specs.set(record.id, spec);
    }
    const own = new Set([...this.#doomed, ...this.#specs.values()].map(({ hostLink }) => hostLink));
    const eips = config.eips.map(({ address }) => parseCidr("EIP", `${address}/32`));
    checkEips([...eips, ...config.eipPools.map(({ cidr }) => cidr)], own, host);
  }

  /** Every router there shall be. */
  list(): readonly VpcRouterSpec[] {
    return [...this.#specs.values()];
  }

  /** The links of each router that stands, by VPC. @throws SystemError */
  async readLinks(): Promise<ReadonlyMap<string, readonly LinkInfo[]>> {
    const { kernel } = this.#deps;
    const pinned = await kernel.inspectPins(Array.from(this.#specs.values(), ({ netns }) => netns));
    const found = new Map<string, readonly LinkInfo[]>();
    for (const [vpcId, { netns }] of this.#specs) {
      if (pinned.has(netns)) found.set(vpcId, await kernel.listLinks(netns));
    }
    return found;
  }

  /**
   * Makes or mends every planned router, and removes what an earlier run left behind.
   * @param bindings of the ENIs that keep or get their place
   * @param holders of host ports and EIPs
   * @throws SystemError, AgentError
   */
  async ensure(
    bindings: (vpcId: string) => readonly EniBinding[],
    groups: GroupRules,
    holders: readonly EniRecord[],
  ): Promise<void> {
    const { instance, kernel } = this.#deps;
    const specs = [...this.#specs.values()];
    for (const spec of this.#doomed) await this.#drop(spec);
    this.#doomed = [];
    for (const spec of specs) this.#table.put(spec.vpc.id, vpcRecord(spec.vpc, spec.linkNet));
    failpoint("net.vpcs-recorded");
    // Rules before links, so that nothing passes that they would stop.
    await kernel.run(planHostRules(instance, specs, holders));
    failpoint("net.host-rules");
    if (specs.some(({ vpc }) => vpc.natGateway) || holders.some(({ network }) => network.eip !== undefined)) {
      // Packets of a NAT gateway and of EIPs cross the host. Turned on only: others may rely on it by the time we stop.
      await kernel.run([{ kind: "sysctls", netns: hostNetns, values: { "net/ipv4/ip_forward": "1" } }]);
    }
    for (const spec of specs) {
      const [bound, inForce] = [bindings(spec.vpc.id), groups.inForce(spec.vpc.id)];
      await ensureRouter(kernel, spec, bound, inForce);
      groups.noteRules(spec, bound, inForce);
    }
    await this.#ensureEipRoutes(holders);
    if (holders.some(({ hostPorts = [] }) => hostPorts.length > 0)) {
      for (const spec of specs.filter(({ reachableFromHost }) => reachableFromHost)) {
        await kernel.run(planHostPortSysctls(spec));
      }
    }
    await this.#sweep();
  }

  /** Takes down the routers of VPCs without ENIs. @param holders of host ports and EIPs @throws SystemError */
  async removeIdle(inUse: ReadonlySet<string>, holders: readonly EniRecord[]): Promise<void> {
    const { instance, kernel } = this.#deps;
    for (const [vpcId, spec] of this.#specs) {
      if (inUse.has(vpcId)) continue;
      await this.#drop(spec);
      this.#specs.delete(vpcId);
    }
    const left = [...this.#specs.values()];
    await kernel.run(left.length === 0 ? planHostRulesRemoval(instance) : planHostRules(instance, left, holders));
  }

  async #drop(spec: VpcRouterSpec): Promise<void> {
    await removeRouter(this.#deps.kernel, spec);
    failpoint("net.router-removed");
    this.#table.delete(spec.vpc.id);
  }

  /** Leads to each router the addresses that are its own, and no others that it had before. */
  async #ensureEipRoutes(holders: readonly EniRecord[]): Promise<void> {
    const { kernel } = this.#deps;
    const [links, routes] = [await kernel.listLinks(hostNetns), await kernel.listRoutes(hostNetns)];
    for (const spec of this.#specs.values()) {
      const own = holders.filter(({ network }) => network.vpcId === spec.vpc.id);
      const eips = [...snatAddresses(spec), ...own.flatMap(({ network }) => network.eip?.address ?? [])];
      const index = links.find(({ name }) => name === spec.hostLink)?.index;
      const stale = routes.filter(
        ({ destination, linkIndex, gateway }) =>
          linkIndex === index && gateway === spec.addresses.router.ipv4 && destination.endsWith("/32"),
      );
      const requests = stale
        .filter(({ destination }) => !eips.includes(destination.slice(0, -"/32".length)))
        .map(({ destination }) => ({ kind: "deleteRoute" as const, destination, link: spec.hostLink }));
      await kernel.run([{ kind: "links", netns: hostNetns, requests, ignore: ["ESRCH"] }, planEipRoutes(spec, eips)]);
    }
  }

  async #readHost(): Promise<HostNetwork> {
    const { kernel } = this.#deps;
    const [links, addresses, routes] = await Promise.all([
      kernel.listLinks(hostNetns),
      kernel.listAddresses(hostNetns),
      kernel.listRoutes(hostNetns),
    ]);
    return { links, addresses, routes };
  }

  /** Removes host links and routers that bear this instance's mark and belong to no planned router. */
  async #sweep(): Promise<void> {
    const { instance, kernel, log } = this.#deps;
    const wanted = new Set(Array.from(this.#specs.values(), ({ alias }) => alias));
    for (const { name, alias } of await kernel.listLinks(hostNetns)) {
      if (!alias.startsWith(`podling/${instance}/`) || wanted.has(alias)) continue;
      log.warn({ link: name, alias }, "removing a link that no record tells of");
      const requests = [{ kind: "deleteLink", link: name }] as const;
      await kernel.run([{ kind: "links", netns: hostNetns, requests, ignore: ["ENODEV"] }]);
    }
    for (const netns of this.#strayPins()) {
      const mark = `podling/${instance}/vpc/${netns.slice(routerPinPrefix(instance).length)}`;
      // Another instance's name may begin like ours and the mark: without the mark inside, the pin is not proved ours.
      if (!(await this.#bearsMark(netns, mark))) continue;
      log.warn({ netns }, "removing a router that no record tells of");
      await kernel.run([{ kind: "removePins", paths: [netns] }]);
    }
  }

  #strayPins(): readonly string[] {
    const known = new Set(Array.from(this.#specs.values(), ({ netns }) => netns));
    return readdirSync(netnsDirectory)
      .map((name) => `${netnsDirectory}/${name}`)
      .filter((path) => path.startsWith(routerPinPrefix(this.#deps.instance)) && !known.has(path));
  }

  async #bearsMark(netns: string, mark: string): Promise<boolean> {
    try {
      const links = await this.#deps.kernel.listLinks(netns);
      return links.some(({ name, alias }) => name === gatewayLink && alias === mark);
    } catch (error) {
      if (errnoOf(error) === "EINVAL" || errnoOf(error) === "ENOENT") return false;
      throw error;
    }
  }
}

/** The record a configured VPC shall have: its own as long as its ranges are the same. */
function recordFor(
  instance: string,
  vpc: Vpc,
  old: VpcRecord | undefined,
  inUse: boolean,
  taken: Parameters<typeof planLinkNet>[1],
): VpcRecord {
  if (old === undefined) return vpcRecord(vpc, planLinkNet(linkNetSeed(instance, vpc.id), taken));
  const renewed = vpcRecord(vpc, old.linkNet);
  if (!inUse || sameRanges(old, renewed)) return renewed;
  const was = vpcOfRecord(old);
  throw new AgentError(
    "FailedPrecondition",
    `Cannot change the ranges of VPC "${vpc.id}" to ${ranges(vpc)}: pods use ${ranges(was)}; remove them first`,
  );
}

function sameRanges(left: VpcRecord, right: VpcRecord): boolean {
  return left.cidr === right.cidr && left.ipv6Cidr === right.ipv6Cidr;
}

function ranges({ cidr, ipv6Cidr }: Vpc): string {
  return [cidr, ipv6Cidr]
    .filter((range) => range !== undefined)
    .map(formatCidr)
    .join(" and ");
}

function linkRange(record: VpcRecord) {
  return parseCidr("stored link network", record.linkNet.ipv4);
}

import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { errnoOf } from "../common/errors.ts";
import type { NodeManifests } from "../manifests/node-manifests.ts";
import { hostNetns, type KernelCommand } from "../system/kernel-command.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import { netnsDirectory } from "../system/netns-directory.ts";
import type { EniRecord } from "./eni-record.ts";
import { hostTable } from "./host-table.ts";
import type { TakenAddress, VswitchUsage } from "./ipam.ts";
import { describeNetwork, type NetworkDescription } from "./network-description.ts";
import { nftParts } from "./nft-listing.ts";
import { bindingOf, tables } from "./plan-eni.ts";
import { planHostRules } from "./plan-host-rules.ts";
import {
  type NetworkCheck,
  type ObservedNamespace,
  type ObservedTables,
  planNetworkCheck,
} from "./plan-network-check.ts";
import { shapingLink } from "./plan-shaping.ts";
import { planRouterRules } from "./plan-vpc-router.ts";
import type { VpcGroups } from "./security-groups.ts";
import type { NetworkConfig } from "./vpc-config.ts";
import type { VpcRouterSpec } from "./vpc-router-spec.ts";

export interface VpcInspectionDeps {
  readonly instance: string;
  readonly config: NetworkConfig;
  readonly manifests: () => NodeManifests;
  readonly kernel: KernelWorker;
  readonly routers: () => readonly VpcRouterSpec[];
  readonly groups: (vpcId: string) => VpcGroups;
  /** Every ENI there is a record of. */
  readonly enis: () => readonly EniRecord[];
  readonly usage: () => readonly VswitchUsage[];
  readonly taken: () => readonly TakenAddress[];
  /** Waits for changes of security groups that are declared already. */
  readonly settle: () => Promise<void>;
  /** Those whose ports or addresses the host leads to them. */
  readonly crossesHost: (eni: EniRecord) => boolean;
}

/** A check beside pods that come and go is made again, until nothing changed meanwhile. */
const attempts = 10;
const pauseMs = 300;
/** What is compared, in the words of operators. */
export const networkChecks = [
  "every interface's link, alias, routes and permanent neighbours in its router",
  "every pod's MAC and addresses",
  "every rule, set and map of the routers and of the host's table, against those made anew from the records",
  "the host's links and routes to the routers, and each EIP's route",
  "no link in a router that no record tells of",
] as const;

/** Answers what operators ask of the network. Changes nothing. */
export class VpcInspection {
  readonly #deps: VpcInspectionDeps;

  constructor(deps: VpcInspectionDeps) {
    this.#deps = deps;
  }

  /** From the records alone. */
  describe(): NetworkDescription {
    const { config, enis, manifests, taken, usage } = this.#deps;
    return describeNetwork({ config, manifests: manifests(), usage: usage(), enis: enis(), taken: taken() });
  }

  /** Compares records and kernel. @throws SystemError */
  async check(): Promise<NetworkCheck> {
    for (let attempt = 1; ; attempt++) {
      await this.#deps.settle();
      const before = this.#fingerprint();
      const check = await this.#compare();
      const clean = check.differences.length === 0 && check.enis.every(({ differences }) => differences.length === 0);
      const settled = before === this.#fingerprint() && !/ (?:allocating|releasing)$/m.test(before);
      if (clean || settled || attempt === attempts) return check;
      await sleep(pauseMs);
    }
  }

  async #compare(): Promise<NetworkCheck> {
    const { crossesHost, groups, instance, routers: list } = this.#deps;
    const routers = list();
    const records = this.#deps.enis();
    const enis = records.filter(({ state }) => state !== "releasing");
    const leaving = records.filter(({ state }) => state === "releasing").map(({ linkName }) => linkName);
    const host = await this.#observe(hostNetns);
    if (host === undefined) throw new Error("The host has no network namespace");
    const holders = enis.filter(crossesHost);
    const hostTables = await this.#tables(hostNetns, planHostRules(instance, routers, holders), [
      `inet ${hostTable(instance)}`,
    ]);
    const routerNamespaces = new Map<string, ObservedNamespace & { tables: ObservedTables }>();
    for (const router of routers) {
      const observed = await this.#observe(router.netns);
      if (observed === undefined) continue;
      const bindings = enis.filter(({ network }) => network.vpcId === router.vpc.id).map(bindingOf);
      const wanted = planRouterRules(router, bindings, groups(router.vpc.id));
      const names = [`inet ${tables.router}`, `arp ${tables.router}`];
      routerNamespaces.set(router.vpc.id, { ...observed, tables: await this.#tables(router.netns, wanted, names) });
    }
    const podNamespaces = new Map<string, ObservedNamespace>();
    for (const { sandboxId, netnsPath } of enis) {
      const observed = await this.#observe(netnsPath);
      if (observed !== undefined) podNamespaces.set(sandboxId, observed);
    }
    return planNetworkCheck({
      instance,
      routers,
      enis,
      leavingLinks: new Set(leaving.flatMap((name) => [name, shapingLink(name)])),
      host: { ...host, tables: hostTables },
      routerNamespaces,
      podNamespaces,
    });
  }

  /** undefined: there is no such namespace. */
  async #observe(netns: string): Promise<ObservedNamespace | undefined> {
    const { kernel } = this.#deps;
    if (netns !== hostNetns && !(await kernel.inspectPins([netns])).has(netns)) return undefined;
    try {
      const [links, addresses, routes, neighbours] = await Promise.all([
        kernel.listLinks(netns),
        kernel.listAddresses(netns),
        kernel.listRoutes(netns),
        kernel.listNeighbours(netns),
      ]);
      return { links, addresses, routes, neighbours };
    } catch (error) {
      // A pod may end while it is looked at.
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EINVAL") return undefined;
      throw error;
    }
  }

  /** Lets the kernel itself say what the rules look like: they are loaded into a namespace that nothing passes. */
  async #tables(netns: string, rules: readonly KernelCommand[], names: readonly string[]): Promise<ObservedTables> {
    const { instance, kernel } = this.#deps;
    // The name of a pod's pin: a crash leaves one that the next start removes.
    const scratch = `${netnsDirectory}/podling-${instance}-${randomBytes(7).toString("hex").slice(0, 13)}`;
    try {
      await kernel.run([
        { kind: "createNamespaces", pins: { net: scratch }, hostname: "" },
        ...rules.map((command) => (command.kind === "nftables" ? { ...command, netns: scratch } : command)),
      ]);
      const [found, wanted] = await Promise.all([this.#list(netns, names), this.#list(scratch, names)]);
      return { found, wanted };
    } finally {
      await kernel.run([{ kind: "removePins", paths: [scratch] }]);
    }
  }

  async #list(netns: string, names: readonly string[]) {
    const lists = names.map(async (name) => {
      try {
        return nftParts(await this.#deps.kernel.listNftables(netns, `list table ${name}`));
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return [];
        throw error;
      }
    });
    return (await Promise.all(lists)).flat();
  }

  #fingerprint(): string {
    return this.#deps
      .enis()
      .map(({ id, state }) => `${id} ${state}`)
      .sort()
      .join("\n");
  }
}

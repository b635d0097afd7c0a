import { readFileSync } from "node:fs";
import { AgentError, errorText, primaryError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import { KeyedMutex } from "../common/keyed-mutex.ts";
import type { Log } from "../common/log.ts";
import { withProfileAnnotations } from "../manifests/eci-profile.ts";
import { type NodeManifests, namespaceLabels } from "../manifests/node-manifests.ts";
import type { Database } from "../state/database.ts";
import { hostNetns, type KernelCommand } from "../system/kernel-command.ts";
import type { KernelWorker } from "../system/kernel-worker.ts";
import { prepareNetnsDirectory } from "../system/netns-directory.ts";
import type { IpamRandom } from "./address-pool.ts";
import { attachEni } from "./attach-eni.ts";
import { detachEni } from "./detach-eni.ts";
import { type EniRecord, eniLinkName, eniNames } from "./eni-record.ts";
import { EniStore } from "./eni-store.ts";
import { GroupRules } from "./group-rules.ts";
import { checkHostPorts } from "./host-port.ts";
import { Ipam, type VswitchUsage } from "./ipam.ts";
import { LinkReaper } from "./link-reaper.ts";
import type { AttachRequest, NetworkProvider, NetworkStatus } from "./network-provider.ts";
import { planAddressWishes } from "./plan-address-wishes.ts";
import { bindingOf, type EniBinding, planEni } from "./plan-eni.ts";
import { planEniRecord } from "./plan-eni-record.ts";
import { planGroupChoice } from "./plan-group-choice.ts";
import { snatAddresses } from "./plan-host-eips.ts";
import { type InternetChoice, planInternet } from "./plan-internet.ts";
import { planRecovery } from "./plan-recovery.ts";
import { hasShapingLink, shapingLink } from "./plan-shaping.ts";
import { ipv6Annotation, planVswitchChoice, type VswitchChoice } from "./plan-vswitch-choice.ts";
import type { PodNetwork } from "./pod-network.ts";
import { groupsOfVpc } from "./security-groups.ts";
import { shuffled } from "./shuffled.ts";
import { strayPodPins } from "./stray-pins.ts";
import type { NetworkConfig, Vswitch } from "./vpc-config.ts";
import { VpcInspection } from "./vpc-inspection.ts";
import type { VpcRouterSpec } from "./vpc-router-spec.ts";
import { VpcRouters } from "./vpc-routers.ts";

export interface LocalVpcDeps {
  /** Prefixes everything this agent owns on the host. */
  readonly instance: string;
  readonly config: NetworkConfig;
  /** What operators say of pods' networks, as it is now. */
  readonly manifests: () => NodeManifests;
  /** Part of the keys of fixed addresses. */
  readonly clusterId: string;
  readonly database: Database;
  readonly kernel: KernelWorker;
  /** Another one, for clean-up that takes the kernel 10 to 20 ms. */
  readonly sweeper: KernelWorker;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly random: IpamRandom;
  /** Text that is never the same twice. */
  readonly newNonce: () => string;
  /** What the pods' own records tell of their interfaces, for one whose record can't be read. */
  readonly podNetworks?: () => readonly Omit<EniRecord, "id" | "state" | "linkName">[];
}

/** A cloud's VPC on one machine: each VPC a router namespace, each pod an ENI of a vSwitch. docs/network.md has the picture. */
export class LocalVpc implements NetworkProvider {
  readonly #deps: LocalVpcDeps;
  readonly #routers: VpcRouters;
  readonly #enis: EniStore;
  readonly #ipam: Ipam;
  readonly #reaper: LinkReaper;
  readonly #groups: GroupRules;
  /** Being cut off, and not to get rules again. */
  readonly #leaving = new Set<string>();
  readonly #locks = new KeyedMutex();
  /** What operators may ask. */
  readonly inspection: VpcInspection;
  #status: NetworkStatus = { ready: false, reason: "NetworkNotStarted", message: "the network has not been started" };

  /** Reads the records. @throws AgentError DataLoss */
  constructor(deps: LocalVpcDeps) {
    this.#deps = deps;
    this.#routers = new VpcRouters(deps);
    this.#enis = new EniStore(deps.database, (id, error) => {
      const pod = deps.podNetworks?.().find(({ network }) => network.eniId === id);
      const rebuilt = pod !== undefined;
      deps.log.error({ eni: id, rebuilt, error: errorText(error) }, "an interface's record can't be read");
      return pod === undefined ? undefined : { ...pod, id, state: "allocating", linkName: eniLinkName(id) };
    });
    // Records from before there were security groups.
    for (const eni of this.#enis.list().filter(({ network }) => network.securityGroups === undefined)) {
      const groups = groupsOfVpc(deps.config, deps.manifests(), eni.network.vpcId);
      const securityGroups = [...groups.keys()].slice(0, 1);
      this.#enis.remember({ ...eni, network: { ...eni.network, securityGroups } });
    }
    const held = this.#enis.list().filter(({ state }) => state !== "releasing");
    this.#ipam = new Ipam({
      database: deps.database,
      vswitches: deps.config.vswitches,
      held: held.map(({ network }) => network),
      random: deps.random,
      ownerName: (eniId) => this.#ownerName(eniId),
      nowMs: deps.nowMs(),
    });
    this.#reaper = new LinkReaper(deps.sweeper, deps.log, (ids) => {
      this.#enis.delete(ids);
      if (this.#status.ready) void this.#groups.tidy();
    });
    this.#groups = new GroupRules({
      ...deps,
      routers: () => this.#routers.list(),
      bindings: (vpcId) =>
        this.#bindings(
          vpcId,
          this.#holders().filter(({ id }) => !this.#leaving.has(id)),
        ),
    });
    this.inspection = new VpcInspection({
      ...deps,
      crossesHost,
      settle: () => this.refresh(),
      routers: () => this.#routers.list(),
      groups: (vpcId) => this.#groups.inForce(vpcId),
      enis: () => this.#enis.list(),
      usage: () => this.usage(),
      taken: () => this.#ipam.taken(deps.nowMs()),
    });
  }

  async start(live: ReadonlySet<string>): Promise<void> {
    try {
      prepareNetnsDirectory();
      await this.#recover(live);
      this.#status = { ready: true, reason: "", message: "" };
      // Manifests may have changed meanwhile.
      await this.#groups.refresh();
    } catch (error) {
      this.#status = { ready: false, reason: "NetworkStartFailed", message: errorText(error) };
      throw asAgentError("Cannot start the network", error);
    }
  }

  async attach(request: AttachRequest): Promise<PodNetwork> {
    using _ = await this.#locks.acquire(request.sandboxId);
    const held = this.#enis.heldBy(request.sandboxId);
    if (held?.state === "attached") return held.network;
    if (!this.#status.ready) {
      throw new AgentError("Unavailable", `Cannot attach a pod: ${this.#status.message}`);
    }
    try {
      return await this.#attach(request, held);
    } catch (error) {
      throw asAgentError(`Cannot attach pod "${request.namespace}/${request.name}" to the network`, error);
    }
  }

  async detach(sandboxId: string): Promise<void> {
    using _ = await this.#locks.acquire(sandboxId);
    const held = this.#enis.heldBy(sandboxId);
    if (held === undefined) return;
    try {
      await this.#release(held);
    } catch (error) {
      throw asAgentError(`Cannot detach pod "${held.namespace}/${held.name}" from ${held.network.vswitchId}`, error);
    }
  }

  status(): NetworkStatus {
    return this.#status;
  }

  /** Brings the rules of running pods in line with the manifests as they are now. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#status.ready) await this.#groups.refresh();
  }

  /** How full each vSwitch is. */
  usage(): readonly VswitchUsage[] {
    return this.#ipam.usage(this.#deps.nowMs());
  }

  /** Every ENI there is a record of. */
  enis(): readonly EniRecord[] {
    return this.#enis.list();
  }

  async stop(): Promise<void> {
    const started = this.#status.ready;
    this.#status = { ready: false, reason: "NetworkStopped", message: "the network has been stopped" };
    try {
      // Of what did not start nobody knows enough to take it down.
      if (!started) return;
      await this.#groups[Symbol.asyncDispose]();
      await this.#reaper.flush();
      await this.#routers.removeIdle(this.#vpcsInUse(), this.#holders().filter(crossesHost));
    } catch (error) {
      this.#deps.log.warn({ error: errorText(error) }, "the network is left for the next start to tidy");
    } finally {
      await this.#reaper[Symbol.asyncDispose]();
    }
  }

  async #recover(live: ReadonlySet<string>): Promise<void> {
    const { kernel, log } = this.#deps;
    await this.#routers.plan(this.#vpcsInUse());
    const records = this.#enis.list();
    const pinnedPods = new Set((await kernel.inspectPins(records.map(({ netnsPath }) => netnsPath))).keys());
    const routerLinks = await this.#routers.readLinks();
    const plan = planRecovery(records, {
      live,
      pinnedPods,
      routerLinks,
      // Their pods may run: nobody can say.
      unreadableLinks: new Set(this.#enis.unreadable.map(eniLinkName)),
    });
    const staying = [...plan.adopt, ...plan.rebuild];
    const bindings = (vpcId: string) => this.#bindings(vpcId, staying);
    await this.#routers.ensure(bindings, this.#groups, staying.filter(crossesHost));
    for (const eni of plan.release) await this.#release(eni);
    for (const eni of plan.adopt) await this.#repair(eni, false);
    for (const eni of plan.rebuild) await this.#repair(eni, true);
    for (const eni of plan.finish) this.#seeOff(eni);
    for (const eni of this.#ipam.strayEnis()) this.#ipam.release(eni, undefined, this.#deps.nowMs(), () => undefined);
    for (const [vpcId, names] of plan.orphans) {
      const netns = this.#routers.get(vpcId)?.netns;
      log.warn({ vpc: vpcId, links: names }, "removing interfaces that no record tells of");
      for (const name of names)
        if (netns !== undefined) this.#reaper.add({ netns, name, addresses: [], eniId: undefined });
    }
    await this.#reaper.flush();
    await kernel.run([{ kind: "removePins", paths: strayPodPins(this.#deps.instance, live) }]);
  }

  async #attach(request: AttachRequest, held: EniRecord | undefined): Promise<PodNetwork> {
    // An attempt that failed and could not be undone; or an earlier link, which still has the name "eth0" in the pod.
    if (held !== undefined) await this.#release(held);
    if (this.#enis.releasingOf(request.sandboxId).length > 0) await this.#reaper.flush();
    const eni = this.#allocate(request);
    failpoint("net.eni-allocated");
    const router = this.#router(eni);
    const plan = planEni(router, this.#deps.instance, eni);
    const bind = () => this.#groups.add(router, bindingOf(eni), plan.rules);
    await attachEni(this.#deps.kernel, plan, bind, () => this.#release(eni));
    this.#enis.remember({ ...eni, state: "attached" });
    return eni.network;
  }

  /** Before anything is allocated. @throws AgentError FailedPrecondition */
  #checkHostPorts({ hostPorts = [] }: AttachRequest, { candidates }: VswitchChoice): void {
    if (hostPorts.length === 0) return;
    checkHostPorts(hostPorts, this.#holders());
    const vpcs = new Set(
      this.#deps.config.vswitches.filter(({ id }) => candidates.includes(id)).map(({ vpcId }) => vpcId),
    );
    const far = [...vpcs].find((id) => this.#routers.get(id)?.reachableFromHost === false);
    if (far === undefined) return;
    throw new AgentError(
      "FailedPrecondition",
      `Cannot give host ports to a pod in VPC "${far}": the host reaches only "${this.#deps.config.vpcs[0]?.id}", the first of the configuration`,
    );
  }

  #holders(): readonly EniRecord[] {
    return this.#enis.list().filter(({ state }) => state !== "releasing");
  }

  #allocate(request: AttachRequest): EniRecord {
    const { clusterId, config, instance, manifests, newNonce, nowMs, random } = this.#deps;
    const names = eniNames(instance, request.sandboxId, newNonce());
    const internet = this.#chooseInternet(request, names.id);
    const wishing = internet.ipv6
      ? { ...request, annotations: { ...request.annotations, [ipv6Annotation]: "true" } }
      : request;
    const choice = planVswitchChoice(wishing, {
      config,
      manifests: manifests(),
      free: new Map(this.#ipam.usage(nowMs()).map(({ vswitchId, free }) => [vswitchId, free])),
      shuffle: (ids) => shuffled(ids, random),
    });
    this.#checkHostPorts(request, choice);
    const groups = planGroupChoice(request, this.#vswitch(choice.candidates[0] ?? "").vpcId, {
      config,
      manifests: manifests(),
    });
    const wishes = planAddressWishes({ ...request, clusterId }, request.annotations, choice.ipv6);
    let eni: EniRecord | undefined;
    this.#ipam.allocate(choice.candidates, wishes, names.id, nowMs(), (allocation) => {
      const vswitch = this.#vswitch(allocation.addresses.vswitchId);
      const decisions = { names, vswitch, allocation, choice, groups, internet, fixed: wishes.fixed };
      eni = planEniRecord(request, decisions, nowMs());
      this.#enis.write(eni);
    });
    if (eni === undefined) throw new AgentError("Internal", "An allocation ended without a record");
    this.#enis.remember(eni);
    return eni;
  }

  #chooseInternet(request: AttachRequest, eniId: string): InternetChoice {
    const { config, manifests, random } = this.#deps;
    const labels = { labels: request.labels, namespaceLabels: namespaceLabels(manifests(), request.namespace) };
    return planInternet(withProfileAnnotations(manifests().eciProfile, labels, request.annotations), {
      eips: config.eips,
      pools: config.eipPools,
      natAddresses: new Set(this.#routers.list().flatMap(snatAddresses)),
      enis: this.#enis.list(),
      newEipId: () => eniId.replace(/^eni-/, "eip-"),
      pick: (below) => random.below(below),
      hostForwardsIpv6: readFileSync("/proc/sys/net/ipv6/conf/all/forwarding", "utf8").trim() === "1",
    });
  }

  /** Cuts an ENI off, lets its addresses cool, and leaves its link to the reaper. @throws SystemError */
  async #release(eni: EniRecord): Promise<void> {
    const router = this.#routers.get(eni.network.vpcId);
    const releasing: EniRecord = { ...eni, state: "releasing" };
    this.#leaving.add(eni.id);
    try {
      if (router !== undefined) await detachEni(this.#deps.kernel, router, this.#deps.instance, eni);
      this.#ipam.release(eni.id, eni.fixed, this.#deps.nowMs(), () => this.#enis.write(releasing));
      this.#enis.remember(releasing);
    } finally {
      this.#leaving.delete(eni.id);
    }
    failpoint("net.eni-released");
    this.#seeOff(releasing);
  }

  #seeOff(eni: EniRecord): void {
    const { vpcId, ipv4, ipv6, eip, limits } = eni.network;
    const netns = this.#routers.get(vpcId)?.netns;
    const addresses = ipv6 === undefined ? [ipv4] : [ipv4, ipv6];
    // Connections through a host port or an EIP are known to the host as well.
    const seen = eip === undefined ? addresses : [...addresses, eip.address];
    if (crossesHost(eni)) this.#reaper.add({ netns: hostNetns, name: eni.linkName, addresses: seen, eniId: undefined });
    if (netns !== undefined && hasShapingLink(limits)) {
      this.#reaper.add({ netns, name: shapingLink(eni.linkName), addresses: [], eniId: undefined });
    }
    if (netns === undefined) this.#enis.delete([eni.id]);
    else this.#reaper.add({ netns, name: eni.linkName, addresses, eniId: eni.id });
  }

  /**
   * Completes the ENI of a living pod. The rules are in place already.
   * @param missing its link is gone, with a removed router for instance: the pod gets the same interface again
   */
  async #repair(eni: EniRecord, missing: boolean): Promise<void> {
    const { instance, kernel, log } = this.#deps;
    const plan = planEni(this.#router(eni), instance, eni);
    const requests = [{ kind: "deleteLink", link: eni.network.interfaceName }] as const;
    // The old pair may still be on its way out.
    const anew: KernelCommand = { kind: "links", netns: eni.netnsPath, requests, ignore: ["ENODEV"] };
    try {
      await kernel.run([...(missing ? [anew, ...plan.link] : []), ...plan.shaping, ...plan.router, ...plan.pod]);
      this.#enis.remember({ ...eni, state: "attached" });
      if (missing) log.info({ eni: eni.id, sandboxId: eni.sandboxId }, "made a missing interface again");
    } catch (error) {
      log.error({ eni: eni.id, sandboxId: eni.sandboxId, error: errorText(error) }, "a pod stays without network");
    }
  }

  #router(eni: EniRecord): VpcRouterSpec {
    const router = this.#routers.get(eni.network.vpcId);
    if (router === undefined) throw new AgentError("Internal", `VPC "${eni.network.vpcId}" has no router`);
    return router;
  }

  #vswitch(id: string): Vswitch {
    const vswitch = this.#deps.config.vswitches.find((candidate) => candidate.id === id);
    if (vswitch === undefined) throw new AgentError("Internal", `vSwitch "${id}" is not configured`);
    return vswitch;
  }

  #bindings(vpcId: string, enis: readonly EniRecord[]): readonly EniBinding[] {
    return enis.filter(({ network }) => network.vpcId === vpcId).map(bindingOf);
  }

  #ownerName(eniId: string): string {
    const owner = this.#enis.list().find(({ id }) => id === eniId);
    return owner === undefined
      ? `ENI ${eniId}`
      : `pod "${owner.namespace}/${owner.name}" (${owner.sandboxId.slice(0, 13)})`;
  }

  #vpcsInUse(): ReadonlySet<string> {
    return new Set(this.#enis.list().map(({ network }) => network.vpcId));
  }
}

function crossesHost({ hostPorts = [], network }: EniRecord): boolean {
  return hostPorts.length > 0 || network.eip !== undefined || network.ipv6Internet === true;
}

/** Names the action; errors that say enough of themselves stay as they are. */
function asAgentError(action: string, error: unknown): AgentError {
  const primary = primaryError(error);
  return primary instanceof AgentError ? primary : new AgentError("SystemFailure", action, { cause: error });
}

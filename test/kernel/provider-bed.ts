import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "../../src/common/ids.ts";
import { createLog } from "../../src/common/log.ts";
import { noManifests } from "../../src/manifests/node-manifests.ts";
import { type CniIntervals, CniProvider, type CniSettings } from "../../src/network/cni/cni-provider.ts";
import { LocalVpc } from "../../src/network/local-vpc.ts";
import type { AttachRequest, NetworkProvider } from "../../src/network/network-provider.ts";
import type { PodInterface } from "../../src/network/pod-network.ts";
import { systemRandom } from "../../src/network/system-random.ts";
import { parseNetworkConfig } from "../../src/network/vpc-config.ts";
import { PinnedNamespaces } from "../../src/runtime/pod-namespaces.ts";
import { Database } from "../../src/state/database.ts";
import { KernelWorker } from "../../src/system/kernel-worker.ts";
import { BridgeNetwork, type PluginBuild } from "../support/cni-network.ts";
import { networkPins } from "../support/instance-objects.ts";
import { unroutedBlock } from "../support/unrouted-block.ts";
import { randomInstance, randomSettings } from "./network-bed.ts";

/** What a provider is built on: one agent's run. */
export interface AgentRun {
  readonly instance: string;
  readonly database: Database;
  readonly kernel: KernelWorker;
  readonly sweeper: KernelWorker;
}

/** One kind of provider, with what it has on the host. */
export interface ProviderKind extends AsyncDisposable {
  make(run: AgentRun): NetworkProvider;
  /** What pods still have, the provider being `provider`. @param ids sandboxes that there have been */
  leftovers(provider: NetworkProvider, ids: readonly string[]): Promise<readonly string[]>;
}

/** A pod of a test. */
export interface BedPod {
  readonly id: string;
  readonly netnsPath: string;
  /** As `ip netns` names it. */
  readonly netns: string;
  readonly network: PodInterface;
}

/** One agent's network over any number of runs, with the pods of a test. */
export class ProviderBed implements AsyncDisposable {
  readonly instance = randomInstance();
  readonly directory = mkdtempSync(join(tmpdir(), "podling-net-"));
  readonly live = new Set<string>();
  readonly ids: string[] = [];
  readonly #kind: ProviderKind;
  #run: AgentRun;
  #provider: NetworkProvider;

  constructor(kind: ProviderKind) {
    this.#kind = kind;
    this.#run = this.#begin();
    this.#provider = kind.make(this.#run);
  }

  static async started(kind: ProviderKind): Promise<ProviderBed> {
    const bed = new ProviderBed(kind);
    try {
      await bed.provider.start(bed.live);
    } catch (error) {
      await bed[Symbol.asyncDispose]();
      throw error;
    }
    return bed;
  }

  get provider(): NetworkProvider {
    return this.#provider;
  }

  get namespaces(): PinnedNamespaces {
    return new PinnedNamespaces(this.#run.kernel);
  }

  netnsPath(id: string): string {
    return `/run/netns/podling-${this.instance}-${id.slice(0, 13)}`;
  }

  /** What RunPodSandbox does for a pod's network. */
  async addPod(change: Partial<AttachRequest> = {}): Promise<BedPod> {
    const id = change.sandboxId ?? newId();
    this.live.add(id);
    this.ids.push(id);
    const netnsPath = this.netnsPath(id);
    await this.namespaces.create({ net: netnsPath }, "");
    try {
      const network = await this.provider.attach(this.request(id, change));
      return { id, netnsPath, netns: netnsPath.slice("/run/netns/".length), network };
    } catch (error) {
      await this.removePod(id);
      throw error;
    }
  }

  request(sandboxId: string, change: Partial<AttachRequest> = {}): AttachRequest {
    const netnsPath = this.netnsPath(sandboxId);
    return { sandboxId, netnsPath, namespace: "ns", name: "pod", uid: "u-1", labels: {}, annotations: {}, ...change };
  }

  async removePod(id: string): Promise<void> {
    await this.provider.detach(id, this.netnsPath(id));
    await this.namespaces.remove({ net: this.netnsPath(id) });
    this.live.delete(id);
  }

  /** The agent dies, and another begins on its records. @param stop the first one ends as it should instead */
  async restart({ stop = false } = {}): Promise<void> {
    if (stop) await this.#provider.stop();
    await this.#end();
    this.#run = this.#begin();
    this.#provider = this.#kind.make(this.#run);
    await this.#provider.start(this.live);
  }

  /** What pods have on the host, as one line each. */
  async leftovers(): Promise<readonly string[]> {
    const pins = networkPins(this.instance).filter((pin) => /-[0-9a-f]{13}$/.test(pin));
    return [...pins, ...(await this.#kind.leftovers(this.#provider, this.ids))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [...this.live]) await this.removePod(id).catch(() => undefined);
    await this.#provider.stop();
    await this.#run.kernel.run([
      { kind: "removePins", paths: networkPins(this.instance).map((pin) => `/run/netns/${pin}`) },
    ]);
    await this.#end();
    await this.#kind[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #begin(): AgentRun {
    const database = Database.open(join(this.directory, "records.db"));
    return { instance: this.instance, database, kernel: new KernelWorker(), sweeper: new KernelWorker() };
  }

  async #end(): Promise<void> {
    await this.#run.kernel[Symbol.asyncDispose]();
    await this.#run.sweeper[Symbol.asyncDispose]();
    this.#run.database[Symbol.dispose]();
  }
}

/** A VPC of random ranges. */
export function localVpcKind(): ProviderKind {
  const config = parseNetworkConfig(randomSettings({ natGateway: true }));
  return {
    make: (run) =>
      new LocalVpc({
        ...run,
        config,
        manifests: () => noManifests,
        clusterId: "default",
        log: createLog("silent"),
        nowMs: Date.now,
        random: systemRandom,
        newNonce: randomUUID,
      }),
    leftovers: async (provider) => {
      if (!(provider instanceof LocalVpc)) return [];
      return provider
        .enis()
        .filter(({ state }) => state !== "releasing")
        .map(({ id }) => `interface ${id}`);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** A bridge by CNI plugins, with random ranges in a directory of its own. */
export function bridgeKind(
  plugins: PluginBuild,
  settings: Partial<CniSettings> = {},
): ProviderKind & { readonly network: BridgeNetwork } {
  const directory = mkdtempSync(join(tmpdir(), "podling-cni-"));
  const ipv6 = `fd${randomBytes(1).toString("hex")}:${randomInt(1, 65_536).toString(16)}:${randomInt(1, 65_536).toString(16)}::/64`;
  const network = new BridgeNetwork(directory, { ipv4: `${unroutedBlock()}.0/24`, ipv6 }, plugins);
  network.write();
  const kind = cniKind({ confDir: network.confDir, binDirs: [plugins.directory], ...settings });
  return { ...kind, network, ...bridgeEnds(network) };
}

/** Plugins of a test's own. */
export function cniKind(
  settings: Partial<CniSettings> & Pick<CniSettings, "confDir" | "binDirs">,
  intervals?: CniIntervals,
): ProviderKind {
  return {
    make: ({ instance, database, kernel }) =>
      new CniProvider({
        instance,
        settings: { pluginTimeoutMs: 20_000, gc: false, ...settings },
        database,
        kernel,
        log: createLog("silent"),
        ...(intervals && { intervals }),
      }),
    leftovers: async () => [],
    [Symbol.asyncDispose]: async () => undefined,
  };
}

function bridgeEnds(network: BridgeNetwork): Pick<ProviderKind, "leftovers" | typeof Symbol.asyncDispose> {
  return {
    leftovers: (_provider, ids) => network.leftovers(ids),
    [Symbol.asyncDispose]: () => network[Symbol.asyncDispose](),
  };
}

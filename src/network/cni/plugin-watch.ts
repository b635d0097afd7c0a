import { delay } from "../../common/deadline.ts";
import { AgentError, errorText } from "../../common/errors.ts";
import type { Log } from "../../common/log.ts";
import type { NetworkStatus } from "../network-provider.ts";
import { negotiateVersion } from "./cni-version.ts";
import type { NetworkConf } from "./conf-directory.ts";
import type { CniNetwork, NetworkList } from "./network-list.ts";
import { planStatus } from "./plan-calls.ts";
import type { PluginPrograms } from "./plugin-programs.ts";

/** Between looks at the plugins: whether they are there, and how they say they are. */
const pollMs = 5_000;

/** What a look at the plugins came to. */
interface Seen {
  readonly network: CniNetwork | undefined;
  readonly status: NetworkStatus;
}

/** Whether pods can get a network, kept true by looking again and again: at each new configuration, and at the plugins. */
export class PluginWatch {
  readonly #programs: PluginPrograms;
  readonly #confDir: string;
  readonly #log: Log;
  readonly #stopping = new AbortController();
  #conf: NetworkConf = { kind: "none" };
  /** The network that pods are attached to; undefined: there is none that can be used. */
  #network: CniNetwork | undefined;
  #status: NetworkStatus = { ready: false, reason: "NetworkNotStarted", message: "the network has not been started" };
  #look: Promise<void> = Promise.resolve();

  constructor(programs: PluginPrograms, confDir: string, log: Log) {
    this.#programs = programs;
    this.#confDir = confDir;
    this.#log = log;
  }

  get status(): NetworkStatus {
    return this.#status;
  }

  /** The network of new pods; undefined: there is none that can be used. */
  get network(): CniNetwork | undefined {
    return this.#network;
  }

  /**
   * The network of new pods. Plugins that only say they are not well are asked all the same: their ADD knows best.
   * @throws AgentError Unavailable saying what is missing
   */
  usableNetwork(): CniNetwork {
    if (this.#network !== undefined) return this.#network;
    throw new AgentError("Unavailable", `Cannot attach a pod: ${this.#status.message}`);
  }

  /** Takes over what the configuration directory says. */
  adopt(conf: NetworkConf): void {
    this.#conf = conf;
    void this.#lookAgain();
  }

  /** Waits for the first look, and has others follow at intervals. */
  async start(): Promise<void> {
    await this.#look;
    void this.#poll();
  }

  /** Looks at the plugins after the look that is under way. Never rejects. */
  #lookAgain(): Promise<void> {
    this.#look = this.#look.then(() => this.#examine());
    return this.#look;
  }

  fail(reason: string, message: string): void {
    this.#network = undefined;
    this.#set({ ready: false, reason, message });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.fail("NetworkStopped", "the network has been stopped");
    await this.#look;
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await delay(pollMs, signal).catch(() => undefined);
      if (!signal.aborted) await this.#lookAgain();
    }
  }

  async #examine(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const conf = this.#conf;
    switch (conf.kind) {
      case "none":
        return this.fail("NetworkPluginNotReady", `there is no CNI configuration in "${this.#confDir}"`);
      case "fault":
        return this.fail("InvalidNetworkConfig", conf.message);
      case "network":
        break;
      default:
        return conf satisfies never;
    }
    const seen = await this.#askPlugins(conf);
    // What stopped meanwhile stays so.
    if (this.#stopping.signal.aborted) return;
    this.#network = seen.network;
    this.#set(seen.status);
  }

  async #askPlugins({ path, list }: NetworkConf & { readonly kind: "network" }): Promise<Seen> {
    let network: CniNetwork;
    try {
      network = await this.#negotiate(list);
    } catch (error) {
      const message = `"${path}" can't be used: ${errorText(error)}`;
      return { network: undefined, status: { ready: false, reason: "NetworkPluginUnusable", message } };
    }
    try {
      for (const call of planStatus(network)) await this.#programs.run(call);
      return { network, status: { ready: true, reason: "", message: "" } };
    } catch (error) {
      return { network, status: { ready: false, reason: "NetworkPluginNotReady", message: errorText(error) } };
    }
  }

  async #negotiate(list: NetworkList): Promise<CniNetwork> {
    const { name, versions, disableCheck, disableGc, plugins } = list;
    const types = [...new Set(plugins.map(({ type }) => type))];
    const spoken = await Promise.all(
      types.map(async (type) => [type, await this.#programs.spokenVersions(type)] as const),
    );
    return { name, version: negotiateVersion(versions, new Map(spoken)), disableCheck, disableGc, plugins };
  }

  #set(status: NetworkStatus): void {
    const before = this.#status;
    this.#status = status;
    if (before.ready === status.ready && before.message === status.message) return;
    const network = this.#network?.name;
    if (status.ready) this.#log.info({ network, version: this.#network?.version }, "pods get their network by CNI");
    else this.#log.warn({ network, reason: status.reason, message: status.message }, "the CNI network is not ready");
  }
}

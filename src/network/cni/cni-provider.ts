import { isDeepStrictEqual } from "node:util";
import { delay } from "../../common/deadline.ts";
import { AgentError, errorText, primaryError } from "../../common/errors.ts";
import { failpoint } from "../../common/failpoint.ts";
import { KeyedMutex } from "../../common/keyed-mutex.ts";
import type { Log } from "../../common/log.ts";
import { SharedLock } from "../../common/shared-lock.ts";
import type { Database } from "../../state/database.ts";
import type { KernelWorker } from "../../system/kernel-worker.ts";
import { prepareNetnsDirectory } from "../../system/netns-directory.ts";
import { checkHostPorts } from "../host-port.ts";
import type { AttachRequest, NetworkProvider, NetworkStatus } from "../network-provider.ts";
import type { PodInterface } from "../pod-network.ts";
import { strayPodPins } from "../stray-pins.ts";
import type { AttachmentRecord } from "./attachment-record.ts";
import { AttachmentStore } from "./attachment-store.ts";
import { checkGivenAddresses, planCapabilityArgs } from "./capability-args.ts";
import { ConfDirectory } from "./conf-directory.ts";
import type { CniNetwork } from "./network-list.ts";
import { planAttachmentRecovery } from "./plan-attachment-recovery.ts";
import { type AttachmentTarget, planAdd, planArgs, planCheck, planDel, planGc } from "./plan-calls.ts";
import { PluginError, pluginErrorCode } from "./plugin-error.ts";
import { PluginPrograms } from "./plugin-programs.ts";
import { type CniResult, podInterfaceOf, readPluginResult } from "./plugin-result.ts";
import { PluginWatch } from "./plugin-watch.ts";
import { killStrayPlugins } from "./stray-plugins.ts";

export interface CniSettings {
  readonly confDir: string;
  readonly binDirs: readonly string[];
  readonly pluginTimeoutMs: number;
  /** Whether plugins are told to drop what is not of this agent's pods. */
  readonly gc: boolean;
}

export interface CniProviderDeps {
  /** Prefixes everything this agent owns on the host. */
  readonly instance: string;
  readonly settings: CniSettings;
  readonly database: Database;
  readonly kernel: KernelWorker;
  readonly log: Log;
  readonly intervals?: CniIntervals;
}

export interface CniIntervals {
  /** Between tries to take away what could not be taken away at the start. */
  readonly retryMs: number;
  readonly gcMs: number;
}

const interfaceName = "eth0";
/** How long the start waits for plugins to tidy up after pods that are gone; they go on behind it. */
const headStartMs = 2_000;
const usualIntervals: CniIntervals = { retryMs: 60_000, gcMs: 3_600_000 };
/** How long an end waits for plugins that run behind anybody's back; the next start kills those that go on. */
const stopGraceMs = 5_000;

/** Pods' networks by CNI plugins, as docs/cni.md tells. */
export class CniProvider implements NetworkProvider {
  readonly #deps: CniProviderDeps;
  readonly #programs: PluginPrograms;
  readonly #attachments: AttachmentStore;
  readonly #watch: PluginWatch;
  /** One call for a pod at a time. */
  readonly #pods = new KeyedMutex();
  /** Shared by whatever attaches or detaches; a GC has it alone. */
  readonly #gcLock = new SharedLock();
  /** Sandboxes that are gone and whose attachments could not be taken away yet. */
  readonly #leftovers = new Set<string>();
  readonly #background = new AbortController();
  #conf: ConfDirectory | undefined;
  #tidying: Promise<void> = Promise.resolve();

  /** Reads the records. */
  constructor(deps: CniProviderDeps) {
    this.#deps = deps;
    const { binDirs, pluginTimeoutMs: timeoutMs } = deps.settings;
    this.#programs = new PluginPrograms({ binDirs, timeoutMs, owner: deps.instance });
    this.#watch = new PluginWatch(this.#programs, deps.settings.confDir, deps.log);
    this.#attachments = new AttachmentStore(deps.database, (sandboxId, error) =>
      deps.log.error({ sandboxId, error: errorText(error) }, "a CNI attachment's record can't be read"),
    );
  }

  async start(live: ReadonlySet<string>): Promise<void> {
    const { instance, kernel, log, settings, intervals = usualIntervals } = this.#deps;
    try {
      prepareNetnsDirectory();
      const killed = await killStrayPlugins(instance, settings.binDirs);
      if (killed > 0) log.warn({ processes: killed }, "killed CNI plugins that an earlier agent had started");
      this.#conf = await ConfDirectory.open(settings.confDir, (conf) => this.#watch.adopt(conf));
      await this.#watch.start();
      // Read before anybody can make another: what is not known now is nobody's.
      const strayPins = strayPodPins(instance, live);
      const records = this.#attachments.list();
      const pinned = new Set((await kernel.inspectPins(records.map(({ target }) => target.netnsPath))).keys());
      const plan = planAttachmentRecovery(records, { live, pinned });
      const unreadable = [...this.#attachments.unreadable].filter((sandboxId) => !live.has(sandboxId));
      const released = [...plan.release.map(({ sandboxId }) => sandboxId), ...unreadable];
      this.#tidying = this.#tidy(released, plan.check, strayPins);
      await Promise.race([this.#tidying, delay(headStartMs)]);
      void this.#repeat(intervals.retryMs, () => this.#releaseAll([...this.#leftovers]));
      void this.#repeat(intervals.gcMs, () => this.#collectGarbage());
    } catch (error) {
      await this.stop();
      this.#watch.fail("NetworkStartFailed", errorText(error));
      throw asAgentError("Cannot start the network", error);
    }
  }

  async attach(request: AttachRequest): Promise<PodInterface> {
    using _pod = await this.#pods.acquire(request.sandboxId);
    const held = this.#attachments.find(request.sandboxId);
    if (held?.attached !== undefined) return held.attached.podInterface;
    const network = this.#watch.usableNetwork();
    try {
      const record = planAttachment(request, network);
      using _shared = await this.#gcLock.share();
      // An attempt that nobody saw end.
      if (held !== undefined || this.#attachments.unreadable.has(request.sandboxId)) {
        await this.#takeAway(held ?? this.#rebuilt(request.sandboxId, request.netnsPath));
      }
      checkHostPorts(record.hostPorts, this.#attachments.list());
      return await this.#attach(record, request.annotations);
    } catch (error) {
      const { namespace, name } = request;
      throw asAgentError(`Cannot attach pod "${namespace}/${name}" to CNI network "${network.name}"`, error);
    }
  }

  async detach(sandboxId: string, netnsPath: string): Promise<void> {
    using _pod = await this.#pods.acquire(sandboxId);
    const found = this.#attachments.find(sandboxId);
    if (found === undefined && !this.#attachments.unreadable.has(sandboxId)) return;
    const record = found ?? this.#rebuilt(sandboxId, netnsPath);
    try {
      using _shared = await this.#gcLock.share();
      await this.#takeAway(record);
      this.#leftovers.delete(sandboxId);
    } catch (error) {
      const { namespace, name, network } = record;
      const pod = name === "" ? `sandbox "${sandboxId}"` : `pod "${namespace}/${name}"`;
      throw asAgentError(`Cannot detach ${pod} from CNI network "${network.name}"`, error);
    }
  }

  status(): NetworkStatus {
    return this.#watch.status;
  }

  async stop(): Promise<void> {
    this.#background.abort();
    const running = [this.#tidying, this.#watch.stop(), this.#conf?.[Symbol.asyncDispose]()];
    await Promise.race([Promise.all(running), delay(stopGraceMs)]);
  }

  async #attach(record: AttachmentRecord, annotations: AttachRequest["annotations"]): Promise<PodInterface> {
    const { network, target } = record;
    this.#attachments.put(record);
    failpoint("net.cni-recorded");
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#undo(record));
    let result: CniResult | undefined;
    for (const plugin of network.plugins) {
      const output = await this.#programs.run(planAdd(network, plugin, target, result));
      result = readPluginResult(plugin.type, output, network.version);
      failpoint("net.cni-plugin-added");
    }
    if (result === undefined) throw new AgentError("Internal", `CNI network "${network.name}" has no plugin`);
    const podInterface = { ...podInterfaceOf(network.name, interfaceName, result), cniNetwork: network.name };
    checkGivenAddresses(annotations, network.name, podInterface);
    this.#attachments.put({ ...record, attached: { result, podInterface } });
    failpoint("net.cni-attached");
    undo.move();
    return podInterface;
  }

  /** Never rejects: the pod's removal tries again. */
  async #undo(record: AttachmentRecord): Promise<void> {
    try {
      await this.#takeAway(record);
    } catch (error) {
      const { sandboxId } = record;
      this.#deps.log.error(
        { sandboxId, error: errorText(error) },
        "what a failed pod has of its network stays for now",
      );
    }
  }

  /** Runs the DELs; the record goes when all have succeeded, so that its addresses stay the pod's until then. */
  async #takeAway(record: AttachmentRecord): Promise<void> {
    try {
      await this.#runDels(record);
    } catch (error) {
      // What failed to be made may fail to be unmade for the same fault of the configuration, which has been put right since.
      const { network } = this.#watch;
      const isMended = network?.name === record.network.name && !isDeepStrictEqual(network, record.network);
      if (network === undefined || !isMended || record.attached !== undefined) throw error;
      await this.#runDels({ ...record, network });
    }
    this.#attachments.delete(record.sandboxId);
    failpoint("net.cni-forgotten");
  }

  async #runDels({ network, target, attached }: AttachmentRecord): Promise<void> {
    const pins = await this.#deps.kernel.inspectPins([target.netnsPath]);
    const netnsPath = pins.has(target.netnsPath) ? target.netnsPath : "";
    for (const call of planDel(network, { ...target, netnsPath }, attached?.result)) {
      try {
        await this.#programs.run(call);
      } catch (error) {
        if (!(error instanceof PluginError) || error.pluginCode !== pluginErrorCode.unknownContainer) throw error;
      }
      failpoint("net.cni-plugin-deleted");
    }
  }

  /** What stands in for a record that can't be read: the network as it is configured now is the best guess there is. */
  #rebuilt(sandboxId: string, netnsPath: string): AttachmentRecord {
    const pod = { sandboxId, namespace: "", name: "" };
    const target: AttachmentTarget = {
      containerId: sandboxId,
      netnsPath,
      interfaceName,
      args: planArgs(pod),
      capabilityArgs: {},
    };
    return { ...pod, network: this.#watch.usableNetwork(), target, hostPorts: [] };
  }

  async #tidy(
    released: readonly string[],
    checked: readonly AttachmentRecord[],
    strayPins: readonly string[],
  ): Promise<void> {
    try {
      await this.#releaseAll(released);
      await this.#deps.kernel.run([{ kind: "removePins", paths: strayPins }]);
      // One after another: a node full of pods is not to spend its start on it.
      for (const record of checked) await this.#check(record);
      await this.#collectGarbage();
    } catch (error) {
      this.#deps.log.error({ error: errorText(error) }, "what pods left of their networks is not tidied");
    }
  }

  /** Never rejects: what fails is tried again. */
  async #releaseAll(sandboxIds: readonly string[]): Promise<void> {
    const releases = sandboxIds.map(async (sandboxId) => {
      this.#leftovers.add(sandboxId);
      const netnsPath = this.#attachments.find(sandboxId)?.target.netnsPath ?? "";
      try {
        await this.detach(sandboxId, netnsPath);
        this.#leftovers.delete(sandboxId);
      } catch (error) {
        this.#deps.log.error({ sandboxId, error: errorText(error) }, "the network of a pod that is gone stays for now");
      }
    });
    await Promise.all(releases);
  }

  /** Asks whether a pod's network is as it was made. Nothing is changed: only its pod's end could. */
  async #check({ sandboxId }: AttachmentRecord): Promise<void> {
    using _pod = await this.#pods.acquire(sandboxId);
    using _shared = await this.#gcLock.share();
    const record = this.#attachments.find(sandboxId);
    if (record?.attached === undefined || this.#background.signal.aborted) return;
    const { network, target, attached, namespace, name } = record;
    try {
      for (const call of planCheck(network, target, attached.result)) await this.#programs.run(call);
    } catch (error) {
      const pod = `${namespace}/${name}`;
      this.#deps.log.error({ sandboxId, pod, error: errorText(error) }, "a pod's network is not as it was made");
    }
  }

  /** Has the plugins drop what they hold of attachments without a record, where the configuration allows it. */
  async #collectGarbage(): Promise<void> {
    const { network } = this.#watch;
    if (!this.#deps.settings.gc || network === undefined) return;
    using _alone = await this.#gcLock.own();
    const known = this.#attachments.list().filter((record) => record.network.name === network.name);
    const unreadable = [...this.#attachments.unreadable].map((containerId) => ({ containerId, interfaceName }));
    const valid = [...known.map(({ target }) => target), ...unreadable];
    for (const call of planGc(network, valid)) {
      try {
        await this.#programs.run(call);
      } catch (error) {
        this.#deps.log.warn({ plugin: call.type, error: errorText(error) }, "a CNI plugin's GC failed");
      }
    }
  }

  /** Never rejects. */
  async #repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#background;
    while (!signal.aborted) {
      await delay(everyMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      this.#tidying = this.#tidying.then(work);
      await this.#tidying;
    }
  }
}

/** @throws AgentError InvalidArgument, FailedPrecondition */
function planAttachment(request: AttachRequest, network: CniNetwork): AttachmentRecord {
  const { sandboxId, namespace, name, netnsPath, hostPorts = [] } = request;
  const capabilityArgs = planCapabilityArgs(request, network);
  const target = { containerId: sandboxId, netnsPath, interfaceName, args: planArgs(request), capabilityArgs };
  return { sandboxId, namespace, name, network, target, hostPorts };
}

/** Names the action in front of what went wrong, under the same code. */
function asAgentError(action: string, error: unknown): AgentError {
  const primary = primaryError(error);
  if (!(primary instanceof AgentError)) return new AgentError("SystemFailure", action, { cause: error });
  return new AgentError(primary.code, `${action}: ${errorText(primary)}`, { cause: error });
}

import type { Socket } from "node:net";
import { whileAlive } from "../common/deadline.ts";
import { AgentError } from "../common/errors.ts";
import { type ContainerId, parseContainerId, parseSandboxId, type SandboxId } from "../common/ids.ts";
import type { ProcessStreams } from "../common/process-streams.ts";
import { SingleFlight } from "../common/single-flight.ts";
import type { ImageRecord } from "../images/image-record.ts";
import { isImageMount, type Resources } from "../runtime/container-settings.ts";
import type { ExecSyncResult } from "../runtime/exec-sync.ts";
import type { RuntimeFeatures } from "../runtime/runtime-features.ts";
import { attachToContainer } from "./attach-to-container.ts";
import { checkpointContainer } from "./checkpoint-container.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { ContainerSpec } from "./container-spec.ts";
import { createContainer } from "./create-container.ts";
import type { SandboxDeps } from "./deps.ts";
import { describeContainer, describeSandbox } from "./describe.ts";
import { dialPod, requireReady } from "./dial-pod.ts";
import { type ExecCommand, execInContainer, execOnStreams } from "./exec-in-container.ts";
import { noteContainerImage } from "./note-container-image.ts";
import { containerNameKey, joinExistingContainer, planContainer } from "./plan-container.ts";
import { joinExistingSandbox, planSandbox, sandboxNameKey } from "./plan-sandbox.ts";
import { takenLevels } from "./pod-selinux.ts";
import { shownContainers } from "./publish-changes.ts";
import { type ContainerFilter, matchesContainer, matchesSandbox, type SandboxFilter } from "./record-filter.ts";
import { removeContainer } from "./remove-container.ts";
import { removeSandbox } from "./remove-sandbox.ts";
import { runSandbox } from "./run-sandbox.ts";
import type { PodResources, SandboxRecord } from "./sandbox-record.ts";
import type { SandboxSpec } from "./sandbox-spec.ts";
import { requireStartable, startContainer } from "./start-container.ts";
import { stopContainer } from "./stop-container.ts";
import { stopSandbox } from "./stop-sandbox.ts";
import { updateContainer } from "./update-container.ts";

/** Whether a part of the agent can do its work, in the words of a CRI condition. */
export interface Condition {
  readonly ready: boolean;
  readonly reason: string;
  readonly message: string;
}

/**
 * What the front doors call. Reads come from memory and wait for nothing. Changes run to their end once begun: a
 * caller whose signal aborts stops waiting, and its retry joins the work or finds it done.
 */
export class SandboxService {
  readonly #deps: SandboxDeps;
  readonly #runs = new SingleFlight<SandboxId>();
  readonly #creates = new SingleFlight<ContainerId>();

  constructor(deps: SandboxDeps) {
    this.#deps = deps;
  }

  /** @throws AgentError InvalidArgument, AlreadyExists, NoAddressLeft, …; nothing is left behind then */
  async runSandbox(spec: SandboxSpec, signal?: AbortSignal): Promise<SandboxId> {
    const deps = this.#deps;
    const run = this.#runs.run(sandboxNameKey(spec.metadata), async () => {
      await this.#settleNamesake(spec);
      const existing = joinExistingSandbox(spec, deps.sandboxes.list());
      if (existing !== undefined) return existing.id;
      const { metadata, labels, annotations } = spec;
      const imageCache = deps.imageCaches.choose({ namespace: metadata.namespace, labels, annotations });
      using warm = deps.warmShims.take(deps.handlers.get(spec.runtimeHandler || deps.defaultHandler));
      const record = planSandbox(spec, {
        id: warm?.id ?? parseSandboxId(deps.newId()),
        createdAtMs: deps.clock.next(),
        bootId: deps.bootId,
        imageCache,
        handlers: [...deps.handlers.keys()],
        defaultHandler: deps.defaultHandler,
        userNamespaces: new Set([...deps.features].flatMap(([name, can]) => (can.userNamespaces ? [name] : []))),
        ...(deps.facts.selinux !== undefined && {
          selinux: { contexts: deps.facts.selinux, takenLevels: takenLevels(deps.sandboxes.list()) },
        }),
      });
      using _lock = await deps.locks.acquire(record.id);
      return await runSandbox(deps, record, warm);
    });
    return whileAlive(run, signal);
  }

  /** Stopping what doesn't exist, or is stopped, succeeds (CRI: StopPodSandbox is idempotent). */
  async stopSandbox(idOrPrefix: string, signal?: AbortSignal): Promise<void> {
    const found = this.#deps.sandboxes.find(idOrPrefix);
    if (found === undefined) return;
    const stop = async () => {
      using _lock = await this.#deps.locks.acquire(found.id);
      const record = this.#deps.sandboxes.find(found.id);
      if (record !== undefined) await stopSandbox(this.#deps, record, "Stopped");
    };
    await whileAlive(stop(), signal);
  }

  /** Removing what doesn't exist succeeds (CRI: RemovePodSandbox is idempotent). */
  async removeSandbox(idOrPrefix: string, signal?: AbortSignal): Promise<void> {
    const found = this.#deps.sandboxes.find(idOrPrefix);
    if (found === undefined) return;
    const remove = async () => {
      using _lock = await this.#deps.locks.acquire(found.id);
      const record = this.#deps.sandboxes.find(found.id);
      if (record !== undefined) await removeSandbox(this.#deps, record);
    };
    await whileAlive(remove(), signal);
  }

  /** @throws AgentError NotFound */
  getSandbox(idOrPrefix: string): SandboxRecord {
    const record = this.#deps.sandboxes.get(idOrPrefix);
    if (record.state !== "creating") return record;
    throw new AgentError("NotFound", `Pod sandbox "${record.id}" is still being created`);
  }

  listSandboxes(filter: SandboxFilter): readonly SandboxRecord[] {
    const { sandboxes } = this.#deps;
    return narrow(sandboxes, filter.id).filter((record) => matchesSandbox(record, filter));
  }

  /** The containers of a sandbox that callers see. */
  containersOf(record: SandboxRecord): readonly ContainerRecord[] {
    return shownContainers(this.#deps.containers, record.id);
  }

  /** @throws AgentError NotFound, FailedPrecondition, AlreadyExists, InvalidArgument; nothing is left behind then */
  async createContainer(sandboxIdOrPrefix: string, spec: ContainerSpec, signal?: AbortSignal): Promise<ContainerId> {
    const deps = this.#deps;
    const { id: sandboxId } = this.getSandbox(sandboxIdOrPrefix);
    const create = this.#creates.run(containerNameKey(sandboxId, spec), async () => {
      using _lock = await deps.locks.acquire(sandboxId);
      const existing = joinExistingContainer(sandboxId, spec, deps.containers.list());
      // Noted for a retry as well: the agent may have ended between the creation and the note.
      if (existing !== undefined) {
        noteContainerImage(deps, sandboxId, spec);
        return existing.id;
      }
      const plan = planContainer(spec, {
        id: parseContainerId(deps.newId()),
        createdAtMs: deps.clock.next(),
        sandbox: deps.sandboxes.get(sandboxId),
        image: deps.images.resolve(spec.image),
        mountImages: this.#mountImages(spec),
      });
      const id = await createContainer(deps, plan);
      noteContainerImage(deps, sandboxId, spec);
      return id;
    });
    return whileAlive(create, signal);
  }

  /** @throws AgentError NotFound, FailedPrecondition, or what the runtime said */
  async startContainer(idOrPrefix: string, signal?: AbortSignal): Promise<void> {
    const deps = this.#deps;
    const { id, sandboxId } = deps.containers.get(idOrPrefix);
    const start = async () => {
      await deps.recoveries.settled(sandboxId);
      using _lock = await deps.locks.acquire(id);
      const record = deps.containers.get(id);
      const sandbox = deps.sandboxes.get(record.sandboxId);
      requireStartable(record, sandbox);
      await startContainer(deps, record, sandbox);
    };
    await whileAlive(start(), signal);
  }

  /** Stopping what doesn't exist, or doesn't run, succeeds. @param graceMs 0: kill at once */
  async stopContainer(idOrPrefix: string, graceMs: number, signal?: AbortSignal): Promise<void> {
    const found = this.#deps.containers.find(idOrPrefix);
    if (found === undefined) return;
    await whileAlive(this.#deps.recoveries.settled(found.sandboxId), signal);
    await stopContainer(this.#deps, found.id, graceMs, signal);
  }

  /** Removing what doesn't exist succeeds; what runs is killed first. */
  async removeContainer(idOrPrefix: string, signal?: AbortSignal): Promise<void> {
    const found = this.#deps.containers.find(idOrPrefix);
    if (found === undefined) return;
    const remove = async () => {
      await this.#deps.recoveries.settled(found.sandboxId);
      await removeContainer(this.#deps, found.id);
    };
    await whileAlive(remove(), signal);
  }

  /**
   * Changes a container's limits; what the change leaves out stays. They hold when this returns, or the old ones do.
   * @throws AgentError NotFound, InvalidArgument, or what the runtime said
   */
  async updateContainer(idOrPrefix: string, change: Resources, signal?: AbortSignal): Promise<void> {
    const deps = this.#deps;
    const { id, sandboxId } = deps.containers.get(idOrPrefix);
    const update = async () => {
      await deps.recoveries.settled(sandboxId);
      using _lock = await deps.locks.acquire(id);
      await updateContainer(deps, deps.containers.get(id), change);
    };
    await whileAlive(update(), signal);
  }

  /** Remembers what a caller set on the pod's own cgroup. @throws AgentError NotFound */
  async updateSandboxResources(idOrPrefix: string, resources: PodResources): Promise<void> {
    const { id } = this.getSandbox(idOrPrefix);
    using _lock = await this.#deps.locks.acquire(id);
    const record = this.getSandbox(id);
    const before = record.resources ?? { overhead: record.spec.overhead, resources: record.spec.resources };
    const after = {
      overhead: resources.overhead ?? before.overhead,
      resources: resources.resources ?? before.resources,
    };
    this.#deps.sandboxes.put({ ...record, resources: after });
  }

  /** @throws AgentError NotFound */
  getContainer(idOrPrefix: string): ContainerRecord {
    const record = this.#deps.containers.get(idOrPrefix);
    if (record.state.kind !== "creating") return this.#shown(record);
    throw new AgentError("NotFound", `Container "${record.id}" is still being created`);
  }

  listContainers(filter: ContainerFilter): readonly ContainerRecord[] {
    const { containers, sandboxes } = this.#deps;
    const sandboxIds = filter.sandboxId ? new Set(narrow(sandboxes, filter.sandboxId).map(({ id }) => id)) : undefined;
    return narrow(containers, filter.id)
      .filter((record) => sandboxIds === undefined || sandboxIds.has(record.sandboxId))
      .map((record) => this.#shown(record))
      .filter((record) => matchesContainer(record, filter));
  }

  /**
   * Runs a command in a running container and waits for it.
   * @param timeoutMs 0: no limit but the caller's signal
   * @throws AgentError DeadlineExceeded when the time is over; what the command started is killed then
   */
  async execSync(
    idOrPrefix: string,
    argv: readonly string[],
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<ExecSyncResult> {
    const record = await this.#settledContainer(idOrPrefix, "run a command in", signal);
    return execInContainer(this.#deps, record, argv, timeoutMs, signal);
  }

  /**
   * Runs a command in a running container on a client's streams, for as long as the client stays.
   * @returns the exit code, when all output was handed to the streams
   * @throws AgentError FailedPrecondition, what the streams' `gone` aborted with, or what the runtime said
   */
  async exec(idOrPrefix: string, command: ExecCommand, streams: ProcessStreams): Promise<number> {
    const record = await this.#settledContainer(idOrPrefix, "run a command in", streams.gone);
    return execOnStreams(this.#deps, record, command, streams);
  }

  /**
   * Connects a client to a running container's own streams, until its output ends or the client has had enough.
   * @throws AgentError FailedPrecondition, ResourceExhausted for a client that is too slow, what `gone` aborted with
   */
  async attach(idOrPrefix: string, streams: ProcessStreams): Promise<void> {
    const record = await this.#settledContainer(idOrPrefix, "attach to", streams.gone);
    await attachToContainer(this.#deps, record, streams);
  }

  /** Connects to a port on a pod's localhost. @throws AgentError FailedPrecondition, Unavailable when nobody listens */
  async dial(idOrPrefix: string, port: number): Promise<Socket> {
    return dialPod(this.#deps, this.getSandbox(idOrPrefix).id, port);
  }

  /** @throws AgentError NotFound, FailedPrecondition unless it is ready */
  readySandbox(idOrPrefix: string): SandboxRecord {
    return requireReady(this.getSandbox(idOrPrefix));
  }

  /**
   * Writes a running container's state to a tar; it goes on.
   * @param timeoutMs 0: two minutes
   * @throws AgentError NotFound, FailedPrecondition when it does not run or CRIU is missing, or what the runtime said
   */
  async checkpointContainer(
    idOrPrefix: string,
    location: string,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<void> {
    const { id, sandboxId } = this.runningContainer(idOrPrefix, "checkpoint");
    const checkpoint = async () => {
      await this.#deps.recoveries.settled(sandboxId);
      using _lock = await this.#deps.locks.acquire(id);
      await checkpointContainer(this.#deps, this.runningContainer(id, "checkpoint"), location, timeoutMs);
    };
    await whileAlive(checkpoint(), signal);
  }

  /** @throws AgentError FailedPrecondition unless the container runs */
  async reopenLog(idOrPrefix: string): Promise<void> {
    const { id } = await this.#settledContainer(idOrPrefix, "reopen the log of");
    await this.#deps.tasks.get(id)?.io.reopenLog();
  }

  /** A pod whose shim or PID namespace ended by itself: its containers have ended or are being ended, and it can run no others. */
  async shimLost(id: SandboxId): Promise<void> {
    const deps = this.#deps;
    try {
      using _lock = await deps.locks.acquire(id);
      const record = deps.sandboxes.find(id);
      if (record?.state === "ready")
        await stopSandbox(deps, record, "The pod's shim or its PID namespace ended by itself");
    } catch (error) {
      deps.log.error({ sandboxId: id, error }, "pod of a lost shim can't be stopped yet; its removal will try again");
    }
  }

  /** Facts about a sandbox for people, as JSON data. */
  describeSandbox(record: SandboxRecord): Promise<object> {
    return describeSandbox(this.#deps, record);
  }

  /** Facts about a container for people, as JSON data. */
  describeContainer(record: ContainerRecord): Promise<object> {
    return describeContainer(this.#deps, record);
  }

  /** The configured runtime handlers with what each can do, and which one an empty name means. */
  handlers(): {
    readonly names: readonly string[];
    readonly defaultName: string;
    readonly features: ReadonlyMap<string, RuntimeFeatures>;
  } {
    const { handlers, defaultHandler, features } = this.#deps;
    return { names: [...handlers.keys()], defaultName: defaultHandler, features };
  }

  status(): { readonly runtimeReady: Condition; readonly networkReady: Condition } {
    return {
      runtimeReady: { ready: true, reason: "", message: "" },
      networkReady: this.#deps.network.status(),
    };
  }

  #mountImages(spec: ContainerSpec): ReadonlyMap<string, ImageRecord> {
    const names = spec.settings.mounts.filter(isImageMount).map(({ image }) => image);
    return new Map(
      names.flatMap((name) => {
        const image = this.#deps.images.resolve(name);
        return image === undefined ? [] : [[name, image] as const];
      }),
    );
  }

  /** Waits while a pod of this name is being taken away: whether the name is free can be said after that. */
  async #settleNamesake(spec: SandboxSpec): Promise<void> {
    const key = sandboxNameKey(spec.metadata);
    const namesake = this.#deps.sandboxes.list().find((record) => sandboxNameKey(record.spec.metadata) === key);
    if (namesake === undefined) return;
    await this.#deps.recoveries.settled(namesake.id);
    if (namesake.state === "creating" || namesake.state === "removing") {
      using _lock = await this.#deps.locks.acquire(namesake.id);
    }
  }

  /** What callers see: a container whose end only a silent shim could tell is neither running nor exited. */
  #shown(record: ContainerRecord): ContainerRecord {
    const unheard = record.state.kind === "running" && this.#deps.recoveries.isUnheard(record.id);
    return unheard ? { ...record, unheard } : record;
  }

  /** A running container whose pod was looked at since the agent's start. */
  async #settledContainer(idOrPrefix: string, action: string, signal?: AbortSignal): Promise<ContainerRecord> {
    const { id, sandboxId } = this.runningContainer(idOrPrefix, action);
    await whileAlive(this.#deps.recoveries.settled(sandboxId), signal);
    return this.runningContainer(id, action);
  }

  /** @param action what it has to run for, in the error's words @throws AgentError NotFound, FailedPrecondition */
  runningContainer(idOrPrefix: string, action: string): ContainerRecord {
    const record = this.#deps.containers.get(idOrPrefix);
    if (record.state.kind === "running") return record;
    throw new AgentError(
      "FailedPrecondition",
      `Can't ${action} container "${record.id}": it is ${record.state.kind}, must be running`,
    );
  }
}

/** The records an id filter leaves: all without one, at most one with it, none (not an error) when it matches nothing. */
function narrow<Stored>(
  store: { find(id: string): Stored | undefined; list(): readonly Stored[] },
  id: string | undefined,
): readonly Stored[] {
  if (id === undefined || id === "") return store.list();
  const found = store.find(id);
  return found === undefined ? [] : [found];
}

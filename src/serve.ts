import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AgentError, errorText } from "./common/errors.ts";
import { newId } from "./common/ids.ts";
import { KeyedMutex } from "./common/keyed-mutex.ts";
import { createLog, type Log } from "./common/log.ts";
import type { Config } from "./config-schema.ts";
import { followManifests } from "./images/caches/follow-manifests.ts";
import { PodImageCaches } from "./images/caches/pod-image-caches.ts";
import { chooseSnapshotter } from "./images/choose-snapshotter.ts";
import { openCredentialSources } from "./images/credentials/open-sources.ts";
import { Images } from "./images/images.ts";
import type { ImagesOptions } from "./images/images-options.ts";
import { ensureInitLayer } from "./images/init-layer.ts";
import { formatReference, parseReference } from "./images/reference.ts";
import type { SnapshotForm } from "./images/snapshot-form.ts";
import { ManifestDirectory } from "./manifests/manifest-directory.ts";
import { CniProvider } from "./network/cni/cni-provider.ts";
import { LocalVpc } from "./network/local-vpc.ts";
import type { NetworkProvider } from "./network/network-provider.ts";
import { isEni } from "./network/pod-network.ts";
import { refuseProviderChange } from "./network/provider-change.ts";
import { systemRandom } from "./network/system-random.ts";
import { parseNetworkConfig } from "./network/vpc-config.ts";
import { networkChecks } from "./network/vpc-inspection.ts";
import { adminService } from "./rpc/admin-rpcs.ts";
import { AgentMetrics } from "./rpc/agent-metrics.ts";
import { type HealthCheck, HealthServer, type HealthServerDeps } from "./rpc/health-server.ts";
import type { NetworkView } from "./rpc/network-rpcs.ts";
import { podMetricsText } from "./rpc/pod-metrics-text.ts";
import { RpcMetrics } from "./rpc/rpc-metrics.ts";
import { createServer } from "./rpc/server.ts";
import { StreamingServer } from "./rpc/streaming/streaming-server.ts";
import { Cgroups } from "./runtime/cgroups.ts";
import { type HostFacts, readHostFacts } from "./runtime/host-facts.ts";
import { probeIdMapping } from "./runtime/id-map-probe.ts";
import { PodDialer } from "./runtime/pod-dialer.ts";
import { PinnedNamespaces } from "./runtime/pod-namespaces.ts";
import { noFeatures, type RuntimeFeatures, readRuntimeFeatures } from "./runtime/runtime-features.ts";
import { ShimEvents } from "./runtime/shim-events.ts";
import { ShimLauncher } from "./runtime/shim-launcher.ts";
import { UsageReader } from "./runtime/usage-reader.ts";
import { heldChainIds } from "./sandbox/container-record.ts";
import { ContainerTasks } from "./sandbox/container-tasks.ts";
import { CreationClock } from "./sandbox/creation-clock.ts";
import type { SandboxDeps } from "./sandbox/deps.ts";
import { EventFanOut } from "./sandbox/event-fan-out.ts";
import { type HostLayout, sandboxPaths, shimNamespace } from "./sandbox/host-paths.ts";
import { noteOutOfMemory } from "./sandbox/note-out-of-memory.ts";
import { PodConnections } from "./sandbox/pod-connections.ts";
import { PodRecoveries } from "./sandbox/pod-recoveries.ts";
import { PodShims } from "./sandbox/pod-shims.ts";
import { publishChanges } from "./sandbox/publish-changes.ts";
import { openStores } from "./sandbox/record-stores.ts";
import { recover } from "./sandbox/recover.ts";
import { releaseHost } from "./sandbox/release-host.ts";
import type { SandboxRecord } from "./sandbox/sandbox-record.ts";
import { SandboxService } from "./sandbox/sandbox-service.ts";
import { UsageService } from "./sandbox/usage-service.ts";
import { WarmShims } from "./sandbox/warm-shims.ts";
import { Database } from "./state/database.ts";
import { lockFile } from "./system/file-lock.ts";
import { KernelWorker } from "./system/kernel-worker.ts";
import { readBootId } from "./system/process.ts";

/** How long calls that run when the agent is told to stop may take to end. */
const closeGraceMs = 10_000;

/**
 * Runs an agent until the signal aborts. Pods go on without it; the next agent of the same directories takes them up.
 * @param version semantic version of the agent
 * @throws AgentError FailedPrecondition when another agent has the directories or the socket
 */
export async function runAgent(config: Config, version: string, stop: AbortSignal): Promise<void> {
  const log = createLog();
  await using parts = new AsyncDisposableStack();
  for (const directory of [config.root, config.state]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    parts.use(lockFile(join(directory, "lock")));
  }
  const database = parts.use(Database.open(join(config.root, "records.db")));
  const snapshotter = chooseSnapshotter(config.images.snapshotter, config.root, log);
  const manifests = parts.use(await ManifestDirectory.open({ directory: config.manifests.dir, log }));
  const acrConfiguration = () => manifests.current.acrConfiguration;
  const credentialSources = openCredentialSources(config.registry, acrConfiguration, parts);
  const caches = { limit: config.images.caches.limit, pullSecrets: () => manifests.current.pullSecrets };
  const images = parts.use(openImages(config, snapshotter, { database, credentialSources, caches, log }));
  const deps = await openSandboxDeps(config, { database, images, manifests, log, parts });
  const sandboxes = new SandboxService(deps);
  deps.shims.onLost((id) => void sandboxes.shimLost(id));
  const events = parts.use(new EventFanOut(new CreationClock(0)));
  publishChanges(deps, events);
  const reader = parts.use(new UsageReader());
  const usage = parts.use(new UsageService({ ...deps, reader }));
  const { instance, root, state, profile } = config;
  const about = { instance, version, profile };
  let phase: AgentPhase = "recovering";
  const rpcs = new RpcMetrics();
  const metrics = parts.use(new AgentMetrics({ about, sandboxes, images, events, rpcs }));
  const health = await listenForHealth(config.metrics.address, {
    agentMetrics: () => metrics.families(),
    podMetrics: async () =>
      podMetricsText(await usage.sandboxes(sandboxes.listSandboxes({ state: "ready" }), "details")),
    readiness: () => readiness(phase, sandboxes.status()),
    log,
  });
  if (health !== undefined) parts.use(health);

  const holds = new Map(deps.containers.list().map((record) => [record.id, heldChainIds(record)]));
  await images.recover(holds, deps.containers.unreadable.size > 0);
  parts.use(followManifests(images.caches, manifests, config.manifests.dir));
  // A pod whose record can't be read may run: its addresses are not free.
  await deps.network.start(new Set([...deps.sandboxes.list().map(({ id }) => id), ...deps.sandboxes.unreadable]));
  parts.defer(() => deps.network.stop());
  await recover(deps, stop);

  const streaming = new StreamingServer({ ...streamingSettings(config), backend: sandboxes, log });
  await streaming.listen();
  parts.defer(() => streaming.close(0));
  const server = createServer({
    profile,
    version,
    shownConfig: shownConfig(config, snapshotter),
    sandboxes,
    streaming,
    images,
    events,
    usage,
    log,
    observe: rpcs.observe,
  });
  const admin = parts.use(
    adminService({
      about: { ...about, root, state },
      images,
      imageCaches: images.caches,
      fullReference: (reference) => formatReference(parseReference(reference)),
      network: networkView(deps.network),
      log,
      observe: rpcs.observe,
    }),
  );
  server.addService(admin.definition, admin.implementation);
  await server.listen(config.grpc.address);
  usage.start();
  phase = "serving";
  const addresses = { address: config.grpc.address, metricsAddress: health?.address };
  log.info({ instance, version, snapshotter, ...addresses, pid: process.pid }, "agent serves");
  deps.warmShims.start();
  if (!stop.aborted) await once(stop, "abort");

  phase = "stopping";
  log.info({ instance }, "agent stops");
  // Watches have no end of their own, and the server would wait for them.
  admin[Symbol.dispose]();
  events[Symbol.dispose]();
  await Promise.all([server.close(closeGraceMs), streaming.close(closeGraceMs)]);
  await deps.tasks.close();
  releaseHost(deps);
}

type AgentPhase = "recovering" | "serving" | "stopping";

/** @param address empty: nobody is to ask */
async function listenForHealth(address: string, deps: HealthServerDeps): Promise<HealthServer | undefined> {
  return address === "" ? undefined : await HealthServer.listen(address, deps);
}

function readiness(phase: AgentPhase, parts: ReturnType<SandboxService["status"]>): readonly HealthCheck[] {
  return [
    { name: "agent", ok: phase === "serving", message: `it is ${phase}` },
    { name: "runtime", ok: parts.runtimeReady.ready, message: parts.runtimeReady.message },
    { name: "network", ok: parts.networkReady.ready, message: parts.networkReady.message },
  ];
}

function openImages(
  config: Config,
  snapshotter: SnapshotForm,
  {
    database,
    credentialSources,
    caches,
    log,
  }: Pick<ImagesOptions, "database" | "credentialSources" | "caches" | "log">,
): Images {
  return new Images({
    rootDirectory: config.root,
    database,
    log,
    snapshotter,
    ...(credentialSources && { credentialSources }),
    registryConfigPath: config.registry.configPath,
    parallelLayers: config.images.parallelLayers,
    durable: config.images.durable,
    gc: config.images.gc,
    ...(caches !== undefined && { caches }),
  });
}

interface SandboxParts {
  readonly database: Database;
  readonly images: Images;
  readonly manifests: ManifestDirectory;
  readonly log: Log;
  readonly parts: AsyncDisposableStack;
}

/** Builds what pods and containers are run with; what must be ended again is put on the stack. */
async function openSandboxDeps(
  config: Config,
  { database, images, manifests, log, parts }: SandboxParts,
): Promise<SandboxDeps> {
  const layout: HostLayout = { instance: config.instance, root: config.root, state: config.state };
  const namespace = shimNamespace(layout);
  const eventsAddress = join(config.state, "events.sock");
  const kernel = parts.use(new KernelWorker());
  const sweeper = parts.use(new KernelWorker());
  const events = parts.use(
    new ShimEvents(namespace, (error) => log.warn({ error: errorText(error) }, "shim event can't be read")),
  );
  await events.listen(eventsAddress);
  const runtimeRoot = join(config.state, "runc");
  const handlers = new Map(config.runtime.handlers.map((handler) => [handler.name, handler]));
  const launcher = new ShimLauncher({ namespace, eventsAddress, runtimeRoot, log });
  const stores = openStores(database, layout, log);
  const cgroups = new Cgroups();
  parts.use(
    events.subscribe((event) => {
      if (event.kind === "oom") noteOutOfMemory({ layout, ...stores, cgroups, log }, event.containerId);
    }),
  );
  const facts = readHostFacts(cgroups.layout);
  const network = openNetwork(config, { database, kernel, sweeper, manifests, layout, stores, log, parts });
  return {
    log,
    layout,
    bootId: readBootId(),
    facts,
    initLayer: ensureInitLayer(config.root),
    handlers,
    defaultHandler: config.runtime.defaultHandler,
    cdiDirectories: config.runtime.cdiSpecDirs,
    features: await readFeatures(config, facts, log),
    clock: new CreationClock(newestCreation(stores)),
    newId,
    locks: new KeyedMutex(),
    ...stores,
    images,
    imageCaches: new PodImageCaches({
      caches: images.caches,
      manifests: () => manifests.current,
      onNode: (reference) => images.resolve(reference),
      newId,
      log,
    }),
    network,
    namespaces: new PinnedNamespaces(kernel),
    cgroups,
    shims: new PodShims({ launcher, layout, handlers, log }),
    warmShims: parts.use(openWarmShims(config, launcher, layout, log)),
    tasks: new ContainerTasks(),
    recoveries: new PodRecoveries(),
    dialer: new PodDialer(kernel),
    connections: new PodConnections(),
  };
}

interface NetworkParts {
  readonly database: Database;
  readonly kernel: KernelWorker;
  readonly sweeper: KernelWorker;
  readonly manifests: ManifestDirectory;
  readonly layout: HostLayout;
  readonly stores: ReturnType<typeof openStores>;
  readonly log: Log;
  /** What is on it ends with the agent. */
  readonly parts: AsyncDisposableStack;
}

/** @throws AgentError FailedPrecondition while there are pods of another provider */
function openNetwork({ instance, network, cluster }: Config, deps: NetworkParts): NetworkProvider {
  const { database, kernel, sweeper, manifests, layout, stores, log, parts } = deps;
  refuseProviderChange(database, network.provider);
  if (network.provider === "cni") return new CniProvider({ instance, settings: network.cni, database, kernel, log });
  const vpc = new LocalVpc({
    instance,
    config: parseNetworkConfig(network),
    manifests: () => manifests.current,
    clusterId: cluster.id,
    database,
    kernel,
    sweeper,
    log,
    nowMs: Date.now,
    random: systemRandom,
    newNonce: randomUUID,
    podNetworks: () => stores.sandboxes.list().flatMap((record) => podNetworkOf(layout, record)),
  });
  parts.use(manifests.onChange(() => void vpc.refresh()));
  return vpc;
}

/** What operators may ask of the network; other providers than local-vpc give out nothing of the kind. */
function networkView(network: NetworkProvider): NetworkView {
  if (network instanceof LocalVpc) {
    const { inspection } = network;
    return { checks: networkChecks, describe: () => inspection.describe(), check: () => inspection.check() };
  }
  const refuse = () => {
    throw new AgentError(
      "FailedPrecondition",
      'The network can\'t be shown: this agent has another network.provider than "local-vpc", and knows no vSwitches',
    );
  };
  return { checks: [], describe: refuse, check: refuse };
}

function openWarmShims(config: Config, launcher: ShimLauncher, layout: HostLayout, log: Log): WarmShims {
  const { defaultHandler, handlers, warmShims } = config.runtime;
  const handler = handlers.find(({ name }) => name === defaultHandler);
  if (handler === undefined) throw new AgentError("Internal", `Runtime handler "${defaultHandler}" is not configured`);
  return new WarmShims({ launcher, layout, handler, size: warmShims, newId, log });
}

/** A handler whose runtime can't be asked gets no features; its pods say what is wrong when they start. */
async function readFeatures(
  { root, runtime: { handlers } }: Config,
  { kernelRelease }: HostFacts,
  log: Log,
): Promise<ReadonlyMap<string, RuntimeFeatures>> {
  const mapsIds = probeIdMapping(root);
  const asked = handlers.map(async ({ name, binary }) => {
    try {
      const features = await readRuntimeFeatures(binary, kernelRelease);
      return [name, { ...features, userNamespaces: features.userNamespaces && (await mapsIds) }] as const;
    } catch (error) {
      log.warn({ handler: name, error: errorText(error) }, "a runtime's features can't be read");
      return [name, noFeatures] as const;
    }
  });
  return new Map(await Promise.all(asked));
}

/** @throws AgentError FailedPrecondition when a file can't be read */
function streamingSettings({ streaming: { address, cert, key } }: Config) {
  const read = (name: string, path: string) => {
    try {
      return readFileSync(path, "utf8");
    } catch (cause) {
      throw new AgentError("FailedPrecondition", `Can't read streaming.${name} ${JSON.stringify(path)}`, { cause });
    }
  };
  return { address, tls: cert === "" ? undefined : { cert: read("cert", cert), key: read("key", key) } };
}

/** What a sandbox's record tells of its interface, whose own record may be lost. */
function podNetworkOf(layout: HostLayout, { id, spec, network, createdAtMs }: SandboxRecord) {
  if (network === undefined || !isEni(network)) return [];
  const { namespace, name } = spec.metadata;
  const netnsPath = sandboxPaths(layout, id, spec.cgroupParent).namespaces.net;
  return [{ sandboxId: id, namespace, name, netnsPath, network, createdAtMs }];
}

function newestCreation({ sandboxes, containers }: ReturnType<typeof openStores>): number {
  return [...sandboxes.list(), ...containers.list()].reduce(
    (newest, { createdAtMs }) => Math.max(newest, createdAtMs),
    0,
  );
}

/** What `crictl info` shows; nothing in a configuration is secret, but only what helps people is shown. */
function shownConfig(config: Config, snapshotter: SnapshotForm): object {
  const { instance, root, state, profile, runtime, registry, network } = config;
  const images = { ...config.images, snapshotter };
  return { instance, rootDir: root, stateDir: state, profile, runtime, images, registry, network };
}

import { AgentError, errorText, primaryError } from "../common/errors.ts";
import { failpoint } from "../common/failpoint.ts";
import type { Digest } from "../common/ids.ts";
import type { ContentStore } from "./content-store.ts";
import { type FetchedImage, fetchImage } from "./fetch-image.ts";
import type { ImageCatalogue } from "./image-catalogue.ts";
import type { ImageRecord } from "./image-record.ts";
import type { Ingests } from "./ingests.ts";
import type { LayerFlights } from "./layer-flights.ts";
import { type LayerStep, type PullPlan, planPull } from "./plan-pull.ts";
import type { Platform } from "./platform.ts";
import type { PullProgress } from "./pull-progress.ts";
import { formatReference, type ImageReference, repositoryName } from "./reference.ts";
import type { RegistryClient } from "./registry-client.ts";

export interface PullDependencies {
  readonly content: ContentStore;
  readonly catalogue: Pick<ImageCatalogue, "add">;
  readonly ingests: Ingests;
  readonly flights: LayerFlights;
  readonly snapshots: { has(chainId: Digest): boolean; sync(): Promise<void> };
  readonly host: Platform;
  readonly tell: (event: PullProgress) => void;
  readonly nowMs: () => number;
}

/**
 * Brings one image to the node: documents, layers, one sync for all of them, and only then the record that makes it visible.
 * On failure or abort nothing but verified layers stays, and those only when another try may succeed.
 * @throws AgentError; the message begins with the reference
 */
export async function pullImage(
  dependencies: PullDependencies,
  reference: ImageReference,
  openClient: () => Promise<RegistryClient>,
  signal: AbortSignal,
): Promise<ImageRecord> {
  const name = formatReference(reference);
  const whole = (phase: PullProgress["phase"], bytes = 0, error?: string) =>
    dependencies.tell({
      reference: name,
      layer: "",
      phase,
      doneBytes: bytes,
      totalBytes: bytes,
      ...(error !== undefined && { error }),
    });
  try {
    whole("resolving");
    const record = await pullUnderIntent(dependencies, reference, openClient, signal);
    whole("done", record.sizeBytes);
    return record;
  } catch (error) {
    const primary = primaryError(error);
    const failure =
      primary instanceof AgentError ? primary : new AgentError("Internal", "Unexpected", { cause: primary });
    whole("failed", 0, errorText(failure));
    throw new AgentError(failure.code, `Pulling image "${name}" failed`, { cause: failure });
  }
}

async function pullUnderIntent(
  dependencies: PullDependencies,
  reference: ImageReference,
  openClient: () => Promise<RegistryClient>,
  signal: AbortSignal,
): Promise<ImageRecord> {
  const { ingests, content, snapshots, catalogue, host } = dependencies;
  const name = formatReference(reference);
  const ingest = ingests.begin(name);
  await using undo = new AsyncDisposableStack();
  let failure: unknown;
  let plan: PullPlan | undefined;
  let hide = (text: string) => text;
  const broughtLayers = () => plan?.steps.some(({ chainId, present }) => !present && snapshots.has(chainId)) ?? false;
  undo.defer(() => ingests.fail(ingest, failure, broughtLayers()));
  try {
    failpoint("pull.intent");
    const client = await openClient();
    hide = (text) => client.hide(text);
    const readContent = (digest: Digest) => content.read(digest);
    const fetched = await fetchImage({ client, reference, host, readContent, signal });
    failpoint("pull.resolved");
    plan = planPull({ name, ...fetched, host, hasSnapshot: (chainId) => snapshots.has(chainId) });
    ingests.hold(
      ingest,
      plan.steps.map((step) => step.chainId),
      fetched.contents.map(({ digest }) => digest),
    );
    for (const { digest, bytes } of fetched.contents) {
      content.put(digest, bytes);
      failpoint("pull.content");
    }
    await bringLayers(dependencies, name, plan, client, signal);
    failpoint("pull.layers");
    await snapshots.sync();
    failpoint("pull.synced");
    signal.throwIfAborted();
    const record = catalogue.add(newRecord(reference, fetched, plan, dependencies.nowMs()), () => ingests.end(ingest));
    undo.move();
    failpoint("pull.recorded");
    ingests.forget(ingest);
    return record;
  } catch (error) {
    failure = withoutSecrets(error, hide);
    throw failure;
  }
}

/** All layers at once; each is committed after its parent. The first failure stops the others. */
async function bringLayers(
  { flights, tell }: PullDependencies,
  reference: string,
  plan: PullPlan,
  client: RegistryClient,
  signal: AbortSignal,
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const origin = {
    source: (step: LayerStep) => client.blobSource(step.layer),
    renew: (renewSignal: AbortSignal) => client.renew(renewSignal),
  };
  let parent = Promise.resolve();
  const works = plan.steps.map((step) => {
    const { digest: layer, sizeBytes: totalBytes } = step.layer;
    const tellLayer = (phase: PullProgress["phase"], doneBytes: number, error?: string) =>
      tell({ reference, layer, phase, doneBytes, totalBytes, ...(error !== undefined && { error }) });
    parent = flights.ensure({ step, origin, parent, tell: tellLayer, signal: both }).catch((error) => {
      if (!both.aborted) tellLayer("failed", 0, client.hide(errorText(error)));
      // The first failure is the reason; what fails because of it is not.
      stop.abort(error);
      throw error;
    });
    parent.catch(() => undefined);
    return parent;
  });
  await Promise.allSettled(works);
  signal.throwIfAborted();
  stop.signal.throwIfAborted();
}

/** The error itself, or what may be shown of it when a registry's words in it hold a secret. */
function withoutSecrets(error: unknown, hide: (text: string) => string): unknown {
  const text = errorText(error);
  const shown = hide(text);
  if (shown === text) return error;
  const primary = primaryError(error);
  return new AgentError(primary instanceof AgentError ? primary.code : "Internal", shown);
}

function newRecord(reference: ImageReference, fetched: FetchedImage, plan: PullPlan, nowMs: number): ImageRecord {
  return {
    id: plan.imageId,
    tags: reference.digest === undefined ? [formatReference(reference)] : [],
    digests: [`${repositoryName(reference)}@${fetched.resolvedDigest}`],
    chainIds: plan.steps.map((step) => step.chainId),
    sizeBytes: plan.sizeBytes,
    config: fetched.config.config,
    pinned: false,
    annotations: {},
    createdAt: new Date(nowMs).toISOString(),
    contentDigests: [...new Set(fetched.contents.map(({ digest }) => digest))],
  };
}

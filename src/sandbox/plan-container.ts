import { join } from "node:path";
import { AgentError } from "../common/errors.ts";
import type { ContainerId } from "../common/ids.ts";
import type { ImageRecord } from "../images/image-record.ts";
import { isImageMount } from "../runtime/container-settings.ts";
import type { ContainerRecord, MountedImage } from "./container-record.ts";
import type { ContainerSpec } from "./container-spec.ts";
import { sameRequest } from "./plan-sandbox.ts";
import type { SandboxRecord } from "./sandbox-record.ts";

/** A new container: the intent to record, and what it stands on. */
export interface ContainerPlan {
  readonly record: ContainerRecord;
  readonly sandbox: SandboxRecord;
  readonly image: ImageRecord;
}

export interface ContainerFacts {
  readonly id: ContainerId;
  readonly createdAtMs: number;
  readonly sandbox: SandboxRecord;
  /** undefined: the image isn't on the node. */
  readonly image: ImageRecord | undefined;
  /** The images to be mounted, by what the request calls them; those that aren't on the node are left out. */
  readonly mountImages: ReadonlyMap<string, ImageRecord>;
}

/**
 * Decides what a new container is.
 * @throws AgentError FailedPrecondition when the sandbox isn't ready, NotFound when the image isn't on the node
 */
export function planContainer(spec: ContainerSpec, facts: ContainerFacts): ContainerPlan {
  const { sandbox, image } = facts;
  if (sandbox.state !== "ready") {
    throw new AgentError(
      "FailedPrecondition",
      `Pod sandbox "${sandbox.id}" is not ready: containers can be created only in a ready one`,
    );
  }
  if (image === undefined) {
    throw new AgentError("NotFound", `Image ${JSON.stringify(spec.image)} is not on this node: pull it first`);
  }
  const topChainId = image.chainIds.at(-1);
  if (topChainId === undefined) {
    throw new AgentError(
      "FailedPrecondition",
      `Image ${JSON.stringify(spec.image)} has no layers: it can't be the root of a container`,
    );
  }
  const { logDirectory } = sandbox.spec;
  const record: ContainerRecord = {
    id: facts.id,
    sandboxId: sandbox.id,
    state: { kind: "creating" },
    spec,
    imageId: image.id,
    imageRef: image.digests[0] ?? image.id,
    topChainId,
    imageMounts: planImageMounts(spec, facts.mountImages),
    createdAtMs: facts.createdAtMs,
    logPath: logDirectory === "" || spec.logPath === "" ? "" : join(logDirectory, spec.logPath),
    stopSignal: spec.stopSignal || image.config.stopSignal || "SIGTERM",
    user: { uid: 0, gid: 0, supplementalGroups: [] },
  };
  return { record, sandbox, image };
}

function planImageMounts(spec: ContainerSpec, images: ReadonlyMap<string, ImageRecord>): readonly MountedImage[] {
  return spec.settings.mounts.filter(isImageMount).map(({ image: name, containerPath }) => {
    const image = images.get(name);
    const topChainId = image?.chainIds.at(-1);
    if (image === undefined || topChainId === undefined) {
      const why = image === undefined ? "is not on this node: pull it first" : "has no layers";
      throw new AgentError(
        "ImageVolumeMountFailed",
        `image ${JSON.stringify(name)} of mount "${containerPath}" ${why}`,
      );
    }
    return { containerPath, imageRef: image.digests[0] ?? image.id, topChainId };
  });
}

/** What is unique among the containers of one sandbox. */
export function containerNameKey(sandboxId: string, spec: ContainerSpec): string {
  return JSON.stringify([sandboxId, spec.metadata.name, spec.metadata.attempt]);
}

/**
 * As for sandboxes: a retry of the same request gets the container it made before.
 * @throws AgentError AlreadyExists
 */
export function joinExistingContainer(
  sandboxId: string,
  spec: ContainerSpec,
  records: readonly ContainerRecord[],
): ContainerRecord | undefined {
  const key = containerNameKey(sandboxId, spec);
  const existing = records.find((record) => containerNameKey(record.sandboxId, record.spec) === key);
  if (existing === undefined) return undefined;
  if (existing.state.kind === "created" && sameRequest(existing.spec, spec)) return existing;
  throw new AgentError(
    "AlreadyExists",
    `Container name "${spec.metadata.name}" (attempt ${spec.metadata.attempt}) in pod sandbox "${sandboxId}" is taken by ` +
      `"${existing.id}", which is ${existing.state.kind}: remove that one, or ask with another attempt`,
  );
}

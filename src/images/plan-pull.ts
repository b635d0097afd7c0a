import { createHash } from "node:crypto";
import { AgentError } from "../common/errors.ts";
import { type Digest, parseDigest } from "../common/ids.ts";
import type { ImageConfigDocument } from "./image-config.ts";
import type { Descriptor, ManifestDocument } from "./manifest.ts";
import { checkPlatform, type Platform } from "./platform.ts";

/** One layer on its way to a snapshot. */
export interface LayerStep {
  readonly layer: Descriptor;
  readonly diffId: Digest;
  readonly chainId: Digest;
  readonly parentChainId: Digest | undefined;
  /** Whether its snapshot was there when the plan was made. */
  readonly present: boolean;
}

export interface PullPlan {
  /** Digest of the configuration. */
  readonly imageId: Digest;
  /** Lowest first. */
  readonly steps: readonly LayerStep[];
  readonly sizeBytes: number;
}

export interface PullFacts {
  /** As the user wrote it, for errors. */
  readonly name: string;
  readonly manifest: ManifestDocument & { readonly kind: "image" };
  readonly manifestBytes: number;
  readonly config: ImageConfigDocument;
  readonly host: Platform;
  readonly hasSnapshot: (chainId: Digest) => boolean;
}

/**
 * What a pull has to do.
 * @throws AgentError NotFound for an image of another platform, FailedPrecondition when manifest and configuration disagree
 */
export function planPull({ name, manifest, manifestBytes, config, host, hasSnapshot }: PullFacts): PullPlan {
  checkPlatform(config.platform, host, name);
  const { layers } = manifest;
  const { diffIds } = config;
  if (layers.length !== diffIds.length) {
    const message = `Image "${name}" has ${layers.length} layers in its manifest and ${diffIds.length} in its configuration`;
    throw new AgentError("FailedPrecondition", message);
  }
  if (layers.length === 0)
    throw new AgentError("FailedPrecondition", `Image "${name}" has no layers: nothing in it can be run`);
  const steps: LayerStep[] = [];
  for (const [index, layer] of layers.entries()) {
    const diffId = diffIds[index];
    if (diffId === undefined) break;
    const parentChainId = steps.at(-1)?.chainId;
    const chainId = chainIdOf(parentChainId, diffId);
    steps.push({ layer, diffId, chainId, parentChainId, present: hasSnapshot(chainId) });
  }
  const layerBytes = layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
  const sizeBytes = layerBytes + manifest.config.sizeBytes + manifestBytes;
  if (!Number.isSafeInteger(sizeBytes)) {
    throw new AgentError("FailedPrecondition", `Image "${name}" claims ${sizeBytes} bytes: no disk holds that`);
  }
  return { imageId: manifest.config.digest, steps, sizeBytes };
}

/** Names a layer together with all below it (image-spec, config.md, "Layer ChainID"). */
export function chainIdOf(parent: Digest | undefined, diffId: Digest): Digest {
  if (parent === undefined) return diffId;
  return parseDigest(`sha256:${createHash("sha256").update(`${parent} ${diffId}`).digest("hex")}`);
}

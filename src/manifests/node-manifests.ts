import { AgentError } from "../common/errors.ts";
import { type AcrConfiguration, isAcrConfiguration, parseAcrConfiguration } from "./acr-configuration.ts";
import { type EciProfile, emptyEciProfile, isEciProfile, parseEciProfile } from "./eci-profile.ts";
import { type ImageCacheManifest, imageCacheApiVersion, parseImageCache } from "./image-cache.ts";
import type { Manifest } from "./manifest.ts";
import { type PodNetworking, parsePodNetworking, podNetworkingApiVersion } from "./pod-networking.ts";
import { isPullSecret, type PullSecrets, parsePullSecret } from "./pull-secret.ts";
import { parseSecurityGroup, type SecurityGroup, securityGroupApiVersion } from "./security-group.ts";

/** What the manifests of a node say, read and checked. */
export interface NodeManifests {
  readonly eciProfile: EciProfile;
  /** undefined: there is none. */
  readonly acrConfiguration: AcrConfiguration | undefined;
  /** By name. */
  readonly podNetworkings: readonly PodNetworking[];
  /** By name; one of the id of a configured group stands in its place. */
  readonly securityGroups: readonly SecurityGroup[];
  /** By name. */
  readonly imageCaches: readonly ImageCacheManifest[];
  readonly pullSecrets: PullSecrets;
  /** Labels of the namespaces that have a manifest. CRI callers don't tell a namespace's labels. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
}

export const noManifests: NodeManifests = {
  eciProfile: emptyEciProfile,
  acrConfiguration: undefined,
  podNetworkings: [],
  securityGroups: [],
  imageCaches: [],
  pullSecrets: new Map(),
  namespaces: new Map(),
};

/**
 * Reads all manifests of a node together. Kinds that no part of the agent knows are let be.
 * @throws AgentError InvalidArgument naming file and line; two of the same kind and name are a fault
 */
export function readNodeManifests(manifests: readonly Manifest[]): NodeManifests {
  refuseTwins(manifests);
  const profile = manifests.find(isEciProfile);
  const acr = manifests.find(isAcrConfiguration);
  return {
    eciProfile: profile === undefined ? emptyEciProfile : parseEciProfile(profile),
    acrConfiguration: acr === undefined ? undefined : parseAcrConfiguration(acr),
    podNetworkings: manifests
      .filter(({ apiVersion, kind }) => apiVersion === podNetworkingApiVersion && kind === "PodNetworking")
      .map(parsePodNetworking)
      .filter((networking) => networking !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    securityGroups: manifests
      .filter(({ apiVersion, kind }) => apiVersion === securityGroupApiVersion && kind === "SecurityGroup")
      .map(parseSecurityGroup)
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    imageCaches: manifests
      .filter(({ apiVersion, kind }) => apiVersion === imageCacheApiVersion && kind === "ImageCache")
      .map(parseImageCache)
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    pullSecrets: new Map(manifests.filter(isPullSecret).map(parsePullSecret)),
    namespaces: new Map(
      manifests
        .filter(({ apiVersion, kind }) => apiVersion === "v1" && kind === "Namespace")
        .map(({ name, labels }) => [name, labels]),
    ),
  };
}

/** A namespace's labels; every namespace has its own name as one (Kubernetes 1.22). */
export function namespaceLabels(manifests: NodeManifests, namespace: string): Readonly<Record<string, string>> {
  return { "kubernetes.io/metadata.name": namespace, ...manifests.namespaces.get(namespace) };
}

function refuseTwins(manifests: readonly Manifest[]): void {
  const seen = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const { apiVersion, kind, namespace, name } = manifest;
    const key = JSON.stringify([apiVersion, kind, namespace, name]);
    const earlier = seen.get(key);
    if (earlier !== undefined) {
      throw new AgentError(
        "InvalidArgument",
        `${manifest.where([])}: a second ${kind} ${JSON.stringify(name)}: the first stands at ${earlier.where([])}`,
      );
    }
    seen.set(key, manifest);
  }
}

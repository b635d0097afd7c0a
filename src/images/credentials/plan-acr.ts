import { AgentError } from "../../common/errors.ts";
import type { AcrConfiguration } from "../../manifests/acr-configuration.ts";
import type { AcrInstance } from "./acr-client.ts";
import type { CredentialRequest } from "./credential-source.ts";

/** An instance that a pull may ask for a login, if it serves the image's host. */
export interface AcrTarget extends AcrInstance {
  /** undefined: whatever hosts the instance has. */
  readonly domains: readonly string[] | undefined;
}

const annotation = "k8s.aliyun.com/acr-instance-ids";
const oldAnnotation = "k8s.aliyun.com/acr-instance-id";
const roleAnnotations = ["k8s.aliyun.com/acr-service-arns", "k8s.aliyun.com/acr-user-arns"];

/**
 * The instances to ask for an image: those of the pod's annotation, then those of the configuration if the pod is one it is
 * for. A pod whose service account is not known counts as one only where every account does.
 * @param ownRegion region of this machine; "": unknown
 * @throws AgentError InvalidArgument for a malformed annotation, Unimplemented for roles of other accounts, FailedPrecondition
 *   when a region is needed and unknown
 */
export function planAcr(
  { reference, pod }: CredentialRequest,
  configuration: AcrConfiguration | undefined,
  ownRegion: string,
): readonly AcrTarget[] {
  const host = reference.registry.toLowerCase();
  const targets = [...annotatedTargets(pod.annotations), ...configuredTargets(pod, configuration, host)];
  const seen = new Set<string>();
  return targets
    .map((target) => ({
      ...target,
      regionId: target.regionId === "" ? requireRegion(target, ownRegion) : target.regionId,
    }))
    .filter(({ instanceId, regionId, domains }) => {
      const key = `${regionId}:${instanceId} ${domains?.join() ?? ""}`;
      return !seen.has(key) && seen.add(key);
    });
}

function annotatedTargets(annotations: Readonly<Record<string, string>>): readonly AcrTarget[] {
  const name = Object.hasOwn(annotations, annotation) ? annotation : oldAnnotation;
  const value = Object.hasOwn(annotations, name) ? (annotations[name] ?? "") : "";
  const ids = value
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (ids.length === 0) return [];
  const roles = roleAnnotations.find((role) => Object.hasOwn(annotations, role) && annotations[role] !== "");
  if (roles !== undefined) {
    throw new AgentError(
      "Unimplemented",
      `Annotation ${roles} is not built yet: roles of other accounts are not assumed`,
    );
  }
  return ids.map((id) => {
    const match = /^(?:([a-z]{2,}-[a-z0-9-]+):)?(cri-[a-z0-9]+)$/.exec(id);
    if (match === null) {
      const message = `Invalid annotation ${name} ${JSON.stringify(id.slice(0, 200))}: must be such as "cri-…" or "cn-beijing:cri-…"`;
      throw new AgentError("InvalidArgument", message);
    }
    return { regionId: match[1] ?? "", instanceId: match[2] ?? "", domains: undefined };
  });
}

function configuredTargets(
  { namespace, serviceAccount }: CredentialRequest["pod"],
  configuration: AcrConfiguration | undefined,
  host: string,
): readonly AcrTarget[] {
  if (configuration === undefined) return [];
  const { namespaces, serviceAccounts, registries } = configuration;
  if (namespaces !== undefined && !namespaces.includes(namespace)) return [];
  if (serviceAccounts !== undefined && !serviceAccounts.includes(serviceAccount)) return [];
  return registries
    .filter(({ instanceId, domains }) => instanceId !== "" && (domains.length === 0 || domains.includes(host)))
    .map(({ instanceId, regionId, domains, crossAccount }) => {
      if (crossAccount) {
        const message = `acr-configuration: instance ${JSON.stringify(instanceId)} asks for roles of other accounts, which are not assumed`;
        throw new AgentError("Unimplemented", message);
      }
      return { instanceId, regionId, domains: domains.length === 0 ? undefined : domains };
    });
}

function requireRegion({ instanceId }: AcrTarget, ownRegion: string): string {
  if (ownRegion !== "") return ownRegion;
  const message = `Instance ${JSON.stringify(instanceId)} names no region: set registry.acr.region, or write it as "region:${instanceId}"`;
  throw new AgentError("FailedPrecondition", message);
}

import { AgentError } from "../common/errors.ts";
import { withProfileAnnotations } from "../manifests/eci-profile.ts";
import { type NodeManifests, namespaceLabels } from "../manifests/node-manifests.ts";
import { selectsPod } from "../manifests/pod-networking.ts";
import type { ChoosingPod } from "./plan-vswitch-choice.ts";
import { groupsOfVpc, type VpcGroups } from "./security-groups.ts";
import type { NetworkConfig } from "./vpc-config.ts";

/** Names up to five security groups of one VPC and type. */
export const securityGroupAnnotation = "k8s.aliyun.com/eci-security-group";
const maxGroups = 5;

export interface GroupChoice {
  readonly ids: readonly string[];
  /** Who says so; "annotation" may be a selector's of the eci-profile. */
  readonly source: "annotation" | "PodNetworking" | "eci-profile" | "VPC";
}

/**
 * Chooses the security groups of a pod: those its annotation names, else those of the PodNetworking that selects it,
 * else the eci-profile's if it is of the VPC, else the VPC's default one. A pod is never without.
 * @param vpcId of the vSwitches that were chosen
 * @throws AgentError InvalidArgument naming the annotation; FailedPrecondition when what an operator named can't be used
 */
export function planGroupChoice(
  pod: ChoosingPod,
  vpcId: string,
  { config, manifests }: { readonly config: NetworkConfig; readonly manifests: NodeManifests },
): GroupChoice {
  const labels = { labels: pod.labels, namespaceLabels: namespaceLabels(manifests, pod.namespace) };
  const annotations = withProfileAnnotations(manifests.eciProfile, labels, pod.annotations);
  const groups = groupsOfVpc(config, manifests, vpcId);
  const asked = annotations[securityGroupAnnotation] ?? "";
  if (asked.trim() !== "") {
    const ids = [...new Set(asked.split(",").map((id) => id.trim()))];
    const fault = faultOf(ids, vpcId, groups);
    if (fault === undefined) return { ids, source: "annotation" };
    throw new AgentError(
      "InvalidArgument",
      `Invalid annotation ${securityGroupAnnotation} ${JSON.stringify(asked.slice(0, 400))}: ${fault}`,
    );
  }
  const networking = manifests.podNetworkings.find(
    (candidate) => candidate.securityGroupIDs.length > 0 && selectsPod(candidate, labels),
  );
  if (networking !== undefined) {
    const ids = [...new Set(networking.securityGroupIDs)];
    refuse(`PodNetworking "${networking.name}"`, faultOf(ids, vpcId, groups));
    return { ids, source: "PodNetworking" };
  }
  const profiled = manifests.eciProfile.securityGroupId;
  // Pods of other VPCs than the profile's can't have its group.
  if (profiled !== "" && !isOfAnotherVpc(profiled, vpcId, config, manifests)) {
    refuse("the eci-profile", faultOf([profiled], vpcId, groups));
    return { ids: [profiled], source: "eci-profile" };
  }
  return { ids: [...groups.keys()].slice(0, 1), source: "VPC" };
}

function isOfAnotherVpc(id: string, vpcId: string, config: NetworkConfig, manifests: NodeManifests): boolean {
  const others = config.vpcs.filter((vpc) => vpc.id !== vpcId);
  return others.some((vpc) => groupsOfVpc(config, manifests, vpc.id).has(id));
}

/** What is wrong with the list; undefined: nothing. */
function faultOf(ids: readonly string[], vpcId: string, groups: VpcGroups): string | undefined {
  if (ids.length > maxGroups) return `must be at most ${maxGroups} security groups`;
  const unknown = ids.find((id) => !groups.has(id));
  if (unknown !== undefined) {
    return `must be security groups of VPC "${vpcId}" (${[...groups.keys()].join(", ")}), "${unknown}" is none`;
  }
  const types = new Map(ids.map((id) => [groups.get(id)?.type, id]));
  if (types.size > 1) {
    return `must be security groups of one type: ${[...types].map(([type, id]) => `"${id}" is ${type}`).join(", ")}`;
  }
  return undefined;
}

function refuse(owner: string, fault: string | undefined): void {
  if (fault === undefined) return;
  throw new AgentError("FailedPrecondition", `The security groups of ${owner} can't be used: ${fault}`);
}

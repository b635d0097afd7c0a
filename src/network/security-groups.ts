import type { NodeManifests } from "../manifests/node-manifests.ts";
import type { SecurityGroup } from "../manifests/security-group.ts";
import type { NetworkConfig } from "./vpc-config.ts";

/** The groups of a VPC by id, the default one first. */
export type VpcGroups = ReadonlyMap<string, SecurityGroup>;

/**
 * What is declared for a VPC: the configuration's groups in its order, those of manifests by name. A manifest of the
 * same id stands in the configured one's place. A VPC without any has a basic group of its own without rules, as
 * every VPC of the cloud has.
 */
export function groupsOfVpc(
  config: Pick<NetworkConfig, "securityGroups">,
  manifests: Pick<NodeManifests, "securityGroups">,
  vpcId: string,
): VpcGroups {
  const declared = new Map([...config.securityGroups, ...manifests.securityGroups].map((group) => [group.id, group]));
  const own = [...declared].filter(([, group]) => group.vpcId === vpcId);
  return new Map(own.length > 0 ? own : [defaultGroup(vpcId)].map((group) => [group.id, group]));
}

/** "vpc-default" has "sg-default". */
function defaultGroup(vpcId: string): SecurityGroup {
  return { id: `sg-${vpcId.replace(/^vpc-/, "")}`, vpcId, type: "basic", intranet: "accept", rules: [] };
}

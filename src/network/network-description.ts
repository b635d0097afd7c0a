import type { NodeManifests } from "../manifests/node-manifests.ts";
import { formatCidr } from "./cidr.ts";
import type { EniRecord } from "./eni-record.ts";
import type { TakenAddress, VswitchUsage } from "./ipam.ts";
import { planRangeLayout } from "./plan-vswitch-layout.ts";
import { groupsOfVpc } from "./security-groups.ts";
import type { NetworkConfig } from "./vpc-config.ts";

/** What the records say was given out, for operators. */
export interface NetworkDescription {
  readonly vswitches: readonly DescribedVswitch[];
  readonly enis: readonly EniRecord[];
  readonly addresses: readonly DescribedAddress[];
  readonly securityGroups: readonly DescribedGroup[];
  readonly eips: readonly DescribedEip[];
}

export interface DescribedVswitch extends VswitchUsage {
  readonly vpcId: string;
  readonly zone: string;
  readonly cidr: string;
  readonly ipv6Cidr: string | undefined;
  readonly gateway: string;
}

export interface DescribedAddress extends TakenAddress {
  /** "namespace/name" of the pod that has it, or is to get it. */
  readonly pod: string | undefined;
}

export interface DescribedGroup {
  readonly id: string;
  readonly vpcId: string;
  /** undefined: gone. */
  readonly type: "basic" | "enterprise" | undefined;
  readonly intranet: "accept" | "drop" | undefined;
  readonly origin: "configuration" | "manifest" | "default" | "gone";
  readonly rules: number;
  readonly members: number;
}

export interface DescribedEip {
  readonly id: string;
  readonly address: string;
  readonly bandwidthMbps: number;
  readonly origin: "configuration" | "pod";
  readonly pod: string | undefined;
  readonly natGatewayVpcId: string | undefined;
}

export interface DescribedFacts {
  readonly config: NetworkConfig;
  readonly manifests: NodeManifests;
  readonly usage: readonly VswitchUsage[];
  readonly enis: readonly EniRecord[];
  readonly taken: readonly TakenAddress[];
}

/** Pure: what is configured, declared and recorded, put together. */
export function describeNetwork({ config, manifests, usage, enis, taken }: DescribedFacts): NetworkDescription {
  const owners = new Map(enis.filter(({ state }) => state !== "releasing").map((eni) => [eni.id, podName(eni)]));
  return {
    vswitches: config.vswitches.flatMap(({ id, vpcId, zone, cidr, ipv6Cidr }) => {
      const counted = usage.find(({ vswitchId }) => vswitchId === id);
      if (counted === undefined) return [];
      const range6 = ipv6Cidr === undefined ? undefined : formatCidr(ipv6Cidr);
      const { gateway } = planRangeLayout(cidr);
      return [{ ...counted, vpcId, zone, cidr: formatCidr(cidr), ipv6Cidr: range6, gateway }];
    }),
    enis,
    addresses: taken.map((address) => ({
      ...address,
      pod: address.state === "held" ? address.holder : address.state === "used" ? owners.get(address.eniId) : undefined,
    })),
    securityGroups: describeGroups(config, manifests, enis),
    eips: describeEips(config, enis),
  };
}

function describeGroups(
  config: NetworkConfig,
  manifests: NodeManifests,
  enis: readonly EniRecord[],
): readonly DescribedGroup[] {
  const living = enis.filter(({ state }) => state !== "releasing");
  const vpcIds = new Set([...config.vpcs.map(({ id }) => id), ...living.map(({ network }) => network.vpcId)]);
  return [...vpcIds].flatMap((vpcId) => {
    const members = living
      .filter(({ network }) => network.vpcId === vpcId)
      .flatMap(({ network }) => network.securityGroups ?? []);
    const groups = groupsOfVpc(config, manifests, vpcId);
    return [...new Set([...groups.keys(), ...members])].map((id) => {
      const group = groups.get(id);
      return {
        id,
        vpcId,
        type: group?.type,
        intranet: group?.intranet,
        origin: group === undefined ? ("gone" as const) : originOf(id, config, manifests),
        rules: group?.rules.length ?? 0,
        members: members.filter((member) => member === id).length,
      };
    });
  });
}

function originOf(id: string, config: NetworkConfig, manifests: NodeManifests): DescribedGroup["origin"] {
  if (manifests.securityGroups.some((group) => group.id === id)) return "manifest";
  return config.securityGroups.some((group) => group.id === id) ? "configuration" : "default";
}

function describeEips(config: NetworkConfig, enis: readonly EniRecord[]): readonly DescribedEip[] {
  const bound = enis.flatMap((eni) =>
    eni.network.eip === undefined ? [] : [{ eip: eni.network.eip, pod: podName(eni) }],
  );
  const declared = config.eips.map((eip) => ({
    ...eip,
    origin: "configuration" as const,
    pod: bound.find((other) => other.eip.address === eip.address)?.pod,
    natGatewayVpcId: config.vpcs.find((vpc) => vpc.snatEntries.some(({ address }) => address === eip.address))?.id,
  }));
  const created = bound
    .filter(({ eip }) => eip.created)
    .map(({ eip: { id, address, bandwidthMbps }, pod }) => {
      return { id, address, bandwidthMbps, origin: "pod" as const, pod, natGatewayVpcId: undefined };
    });
  return [...declared, ...created];
}

function podName({ namespace, name }: EniRecord): string {
  return `${namespace}/${name}`;
}

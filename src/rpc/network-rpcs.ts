import type { AdminServiceHandlers } from "../generated/podling/v1/AdminService.ts";
import type { DescribeNetworkResponse } from "../generated/podling/v1/DescribeNetworkResponse.ts";
import type { Eni as EniMessage } from "../generated/podling/v1/Eni.ts";
import type { Rpcs } from "./serve.ts";

/** An interface, as `src/network` records it. */
export interface RecordedEni {
  readonly id: string;
  readonly state: string;
  readonly sandboxId: string;
  readonly namespace: string;
  readonly name: string;
  readonly linkName: string;
  readonly createdAtMs: number;
  readonly network: {
    readonly vpcId: string;
    readonly vswitchId: string;
    readonly mac: string;
    readonly ipv4: string;
    readonly ipv6: string | undefined;
    readonly securityGroups?: readonly string[];
    readonly eip?: { readonly address: string };
  };
}

/** What the network tells operators. */
export interface NetworkView {
  /** @throws AgentError FailedPrecondition with a provider that has nothing of the kind */
  describe(): {
    readonly vswitches: readonly {
      readonly vswitchId: string;
      readonly vpcId: string;
      readonly zone: string;
      readonly cidr: string;
      readonly ipv6Cidr: string | undefined;
      readonly gateway: string;
      readonly total: number;
      readonly used: number;
      readonly held: number;
      readonly cooling: number;
      readonly reserved: number;
      readonly free: number;
    }[];
    readonly enis: readonly RecordedEni[];
    readonly addresses: readonly {
      readonly address: string;
      readonly vswitchId: string;
      readonly state: string;
      readonly eniId: string;
      readonly pod: string | undefined;
      readonly freeAtMs: number | undefined;
    }[];
    readonly securityGroups: readonly {
      readonly id: string;
      readonly vpcId: string;
      readonly type: string | undefined;
      readonly intranet: string | undefined;
      readonly origin: string;
      readonly rules: number;
      readonly members: number;
    }[];
    readonly eips: readonly {
      readonly id: string;
      readonly address: string;
      readonly bandwidthMbps: number;
      readonly origin: string;
      readonly pod: string | undefined;
      readonly natGatewayVpcId: string | undefined;
    }[];
  };
  /** @throws AgentError */
  check(): Promise<{
    readonly enis: readonly { readonly eni: RecordedEni; readonly differences: readonly string[] }[];
    readonly differences: readonly string[];
  }>;
  /** What the check compares. */
  readonly checks: readonly string[];
}

/** The part of AdminService that is about the pods' network. */
export function networkRpcs({ network }: { readonly network: NetworkView }) {
  return {
    DescribeNetwork: () => encodeDescription(network.describe()),
    CheckNetwork: async () => {
      const { enis, differences } = await network.check();
      return {
        enis: enis.map((check) => ({ eni: encodeEni(check.eni), differences: [...check.differences] })),
        differences: [...differences],
        checks: [...network.checks],
      };
    },
  } satisfies Partial<Rpcs<AdminServiceHandlers>>;
}

function encodeDescription(description: ReturnType<NetworkView["describe"]>): DescribeNetworkResponse {
  return {
    vswitches: description.vswitches.map(({ vswitchId, vpcId, ipv6Cidr = "", cooling, ...counts }) => ({
      ...counts,
      id: vswitchId,
      vpc: vpcId,
      ipv6_cidr: ipv6Cidr,
      resting: cooling,
    })),
    enis: description.enis.map(encodeEni),
    addresses: description.addresses.map(({ address, vswitchId, state, eniId, pod = "", freeAtMs = 0 }) => {
      return { address, vswitch: vswitchId, state, eni: eniId, pod, free_at: String(Math.ceil(freeAtMs / 1000)) };
    }),
    security_groups: description.securityGroups.map(({ vpcId, type = "", intranet = "", ...group }) => {
      return { ...group, vpc: vpcId, type, intranet };
    }),
    eips: description.eips.map(({ bandwidthMbps, pod = "", natGatewayVpcId = "", ...eip }) => {
      return { ...eip, bandwidth: bandwidthMbps, pod, nat_gateway_vpc: natGatewayVpcId };
    }),
  };
}

function encodeEni({ id, state, sandboxId, namespace, name, linkName, createdAtMs, network }: RecordedEni): EniMessage {
  const { vpcId, vswitchId, mac, ipv4, ipv6 = "", securityGroups = [], eip } = network;
  return {
    id,
    state,
    pod_sandbox_id: sandboxId,
    namespace,
    name,
    vpc: vpcId,
    vswitch: vswitchId,
    mac,
    ipv4,
    ipv6,
    link: linkName,
    security_groups: [...securityGroups],
    eip: eip?.address ?? "",
    created_at: String(BigInt(createdAtMs) * 1_000_000n),
  };
}

import type { EniNames, EniRecord } from "./eni-record.ts";
import type { Allocation } from "./ipam.ts";
import type { AttachRequest } from "./network-provider.ts";
import type { FixedIp } from "./plan-address-wishes.ts";
import type { GroupChoice } from "./plan-group-choice.ts";
import type { InternetChoice } from "./plan-internet.ts";
import type { VswitchChoice } from "./plan-vswitch-choice.ts";
import { planRangeLayout } from "./plan-vswitch-layout.ts";
import type { PodNetwork } from "./pod-network.ts";
import type { Vswitch } from "./vpc-config.ts";

/** What was decided for a pod's interface. */
export interface EniDecisions {
  readonly names: EniNames;
  /** The vSwitch that had an address. */
  readonly vswitch: Vswitch;
  readonly allocation: Allocation;
  readonly choice: VswitchChoice;
  readonly groups: GroupChoice;
  readonly internet: InternetChoice;
  readonly fixed: FixedIp | undefined;
}

/** Pure: the record of a new ENI. */
export function planEniRecord(request: AttachRequest, decisions: EniDecisions, createdAtMs: number): EniRecord {
  const { names, vswitch, allocation, choice, groups, internet, fixed } = decisions;
  const { addresses, passed } = allocation;
  const { source, sourceName, order, losers, notes } = choice;
  const network: PodNetwork = {
    eniId: names.id,
    vpcId: vswitch.vpcId,
    vswitchId: vswitch.id,
    mac: names.mac,
    interfaceName: "eth0",
    ipv4: addresses.ipv4,
    ipv4PrefixLength: vswitch.cidr.prefixLength,
    ipv4Gateway: planRangeLayout(vswitch.cidr).gateway,
    ipv6: addresses.ipv6,
    ipv6PrefixLength: addresses.ipv6 === undefined ? undefined : vswitch.ipv6Cidr?.prefixLength,
    securityGroups: groups.ids,
    securityGroupSource: groups.source,
    ...(internet.eip && { eip: internet.eip }),
    ...(internet.ipv6 && { ipv6Internet: true }),
    ...(Object.keys(internet.limits).length > 0 && { limits: internet.limits }),
    choice: { source, sourceName, order, losers: [...losers, ...passed], notes },
  };
  const { sandboxId, namespace, name, netnsPath, hostPorts } = request;
  const ports = hostPorts === undefined || hostPorts.length === 0 ? {} : { hostPorts };
  return {
    id: names.id,
    state: "allocating",
    sandboxId,
    namespace,
    name,
    netnsPath,
    linkName: names.linkName,
    network,
    createdAtMs,
    ...ports,
    ...(fixed && { fixed }),
  };
}

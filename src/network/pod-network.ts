import type { GroupChoice } from "./plan-group-choice.ts";
import type { BoundEip } from "./plan-internet.ts";
import type { EniLimits } from "./plan-shaping.ts";
import type { VswitchChoice } from "./plan-vswitch-choice.ts";

/** What every provider tells of a pod's one interface; data only, stored with the sandbox and shown to callers. */
export interface PodInterface {
  /** Name inside the pod, "eth0". */
  readonly interfaceName: string;
  /** "00:16:3e:xx:xx:xx"; empty: not told. */
  readonly mac: string;
  /** One of the two at least. */
  readonly ipv4: string | undefined;
  readonly ipv6: string | undefined;
  /** Beyond one of each family. */
  readonly moreAddresses?: readonly string[];
}

/** What a pod's elastic network interface got. */
export interface PodNetwork extends PodInterface {
  readonly eniId: string;
  readonly vpcId: string;
  readonly vswitchId: string;
  /** "00:16:3e:xx:xx:xx" */
  readonly mac: string;
  /** Name inside the pod, "eth0". */
  readonly interfaceName: string;
  readonly ipv4: string;
  readonly ipv4PrefixLength: number;
  readonly ipv4Gateway: string;
  readonly ipv6: string | undefined;
  readonly ipv6PrefixLength: number | undefined;
  /** Ids of its security groups, and who named them; absent in records from before there were any. */
  readonly securityGroups?: readonly string[];
  readonly securityGroupSource?: GroupChoice["source"];
  /** Its own address of the internet. */
  readonly eip?: BoundEip;
  /** Whether its IPv6 address leads out of the VPC. */
  readonly ipv6Internet?: boolean;
  /** Bits per second. */
  readonly limits?: EniLimits;
  /** Why this vSwitch: who named it, how the named ones were ordered, and why the others were not it. */
  readonly choice?: Pick<VswitchChoice, "source" | "sourceName" | "order" | "losers" | "notes">;
}

/** Whether an interface is an elastic network interface, and not another provider's. */
export function isEni(network: PodInterface): network is PodNetwork {
  return "eniId" in network;
}

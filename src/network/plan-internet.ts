import { AgentError } from "../common/errors.ts";
import { describePool, type Eip, type EipPool, freePoolAddress } from "./eip.ts";
import type { EniRecord } from "./eni-record.ts";
import type { EniLimits } from "./plan-shaping.ts";
import { ipv6Annotation } from "./plan-vswitch-choice.ts";
import { readPodBandwidth } from "./pod-bandwidth.ts";

export const eipAnnotation = "k8s.aliyun.com/eci-eip-instanceid";
export const withEipAnnotation = "k8s.aliyun.com/eci-with-eip";
export const eipBandwidthAnnotation = "k8s.aliyun.com/eip-bandwidth";
export const eipIspAnnotation = "k8s.aliyun.com/eip-isp";
export const eipPoolAnnotation = "k8s.aliyun.com/eip-public-ip-address-pool-id";
export const eipChargeAnnotation = "k8s.aliyun.com/eip-internet-charge-type";
export const eipPackageAnnotation = "k8s.aliyun.com/eip-common-bandwidth-package-id";
export const ipv6SwitchAnnotation = "k8s.aliyun.com/eci-ipv6-bandwidth-enable";
export const ipv6BandwidthAnnotation = "k8s.aliyun.com/eci-ipv6-bandwidth";

const defaultEipMbps = 5;
const mostEipMbps = 10_000;
const defaultIpv6Mbps = 1;
const mostIpv6Mbps = 2_000;
const megabit = 1_000_000;
type Annotations = Readonly<Record<string, string>>;

/** An ENI's address of the internet. */
export interface BoundEip extends Eip {
  /** It was made for this pod, and goes with it. */
  readonly created: boolean;
}

/** How a pod reaches the internet by itself, and how much it may carry. */
export interface InternetChoice {
  readonly eip: BoundEip | undefined;
  /** Whether its IPv6 address leads out of the VPC. */
  readonly ipv6: boolean;
  readonly limits: EniLimits;
}

export interface InternetFacts {
  readonly eips: readonly Eip[];
  readonly pools: readonly EipPool[];
  /** EIPs that are a NAT gateway's, by address. */
  readonly natAddresses: ReadonlySet<string>;
  /** Every ENI, those being released too. */
  readonly enis: readonly Pick<EniRecord, "namespace" | "name" | "network">[];
  readonly newEipId: () => string;
  readonly hostForwardsIpv6: boolean;
  /** A number below its argument. */
  readonly pick: (below: number) => number;
}

/**
 * Reads what a pod's annotations say of EIP, IPv6 internet and bandwidth.
 * @throws AgentError InvalidArgument naming the annotation; FailedPrecondition for an EIP in use; ResourceExhausted
 */
export function planInternet(annotations: Annotations, facts: InternetFacts): InternetChoice {
  const eip = chooseEip(annotations, facts);
  const internet6 = readIpv6(annotations);
  if (internet6 !== undefined && annotations[ipv6Annotation] === "false") {
    throw invalid(annotations, ipv6SwitchAnnotation, `absent with ${ipv6Annotation} "false"`);
  }
  if (internet6 !== undefined && !facts.hostForwardsIpv6) {
    throw new AgentError(
      "FailedPrecondition",
      `Cannot give ${ipv6SwitchAnnotation}: the host's sysctl net.ipv6.conf.all.forwarding must be 1. Turned on, the host takes no more router advertisements, so the agent does not do it by itself`,
    );
  }
  const { ingressBitsPerSecond: ingress, egressBitsPerSecond: egress } = readPodBandwidth(annotations);
  const limits: EniLimits = {
    ...(ingress !== undefined && { ingress }),
    ...(egress !== undefined && { egress }),
    ...(eip !== undefined && { internet4: eip.bandwidthMbps * megabit }),
    ...(internet6 !== undefined && { internet6 }),
  };
  return { eip, ipv6: internet6 !== undefined, limits };
}

function chooseEip(annotations: Annotations, facts: InternetFacts): BoundEip | undefined {
  const id = (annotations[eipAnnotation] ?? "").trim();
  const create = readFlag(annotations, withEipAnnotation);
  if (id !== "" && create)
    throw invalid(annotations, withEipAnnotation, `absent: ${eipAnnotation} names an EIP already`);
  if (id !== "") return bindEip(annotations, id, facts);
  return create ? createEip(annotations, facts) : undefined;
}

function bindEip(annotations: Annotations, id: string, { eips, natAddresses, enis }: InternetFacts): BoundEip {
  const eip = eips.find((candidate) => candidate.id === id);
  if (eip === undefined) {
    throw invalid(
      annotations,
      eipAnnotation,
      `an EIP of network.eips: ${eips.map((one) => one.id).join(", ") || "there is none"}`,
    );
  }
  if (natAddresses.has(eip.address)) throw inUse(eip, "a NAT gateway");
  const holder = enis.find(({ network }) => network.eip?.address === eip.address);
  if (holder !== undefined) throw inUse(eip, `pod "${holder.namespace}/${holder.name}"`);
  return { ...eip, created: false };
}

function inUse({ id, address }: Eip, by: string): AgentError {
  return new AgentError("FailedPrecondition", `EIP "${id}" (${address}) is in use by ${by}`);
}

function createEip(annotations: Annotations, { eips, pools, enis, newEipId, pick }: InternetFacts): BoundEip {
  const isp = annotations[eipIspAnnotation] ?? "";
  if (!["", "BGP", "BGP_PRO"].includes(isp)) throw invalid(annotations, eipIspAnnotation, '"BGP" or "BGP_PRO"');
  const charge = annotations[eipChargeAnnotation] ?? "";
  if (!["", "PayByBandwidth", "PayByTraffic"].includes(charge)) {
    throw invalid(annotations, eipChargeAnnotation, '"PayByBandwidth" or "PayByTraffic"');
  }
  if ((annotations[eipPackageAnnotation] ?? "") !== "") {
    throw invalid(annotations, eipPackageAnnotation, "absent: there are no bandwidth packages here");
  }
  const poolId = annotations[eipPoolAnnotation] ?? "";
  const named = poolId === "" ? pools : pools.filter(({ id }) => id === poolId);
  if (named.length === 0 && poolId !== "") {
    throw invalid(
      annotations,
      eipPoolAnnotation,
      `a pool of network.eip_pools: ${pools.map(({ id }) => id).join(", ") || "there is none"}`,
    );
  }
  const fitting = named.filter((pool) => isp === "" || pool.isp === isp);
  const bandwidthMbps = readMbps(annotations, eipBandwidthAnnotation, defaultEipMbps, mostEipMbps);
  const taken = new Set([
    ...eips.map(({ address }) => address),
    ...enis.flatMap(({ network }) => network.eip?.address ?? []),
  ]);
  for (const pool of fitting) {
    const address = freePoolAddress(pool, taken, pick);
    if (address !== undefined) return { id: newEipId(), address, bandwidthMbps, created: true };
  }
  const ranges = fitting.map(describePool).join(", ");
  throw new AgentError(
    "ResourceExhausted",
    fitting.length === 0
      ? `No EIP can be made: network.eip_pools has no pool${isp === "" ? "" : ` of isp "${isp}"`}`
      : `No EIP can be made: every address of ${ranges} is in use`,
  );
}

/** @returns bits per second; undefined: the pod's IPv6 address leads nowhere outside the VPC */
function readIpv6(annotations: Annotations): number | undefined {
  const enabled = readFlag(annotations, ipv6SwitchAnnotation);
  const text = annotations[ipv6BandwidthAnnotation] ?? "";
  const match = /^([1-9]\d{0,3})M?$/.exec(text.trim());
  const mbps = text === "" ? defaultIpv6Mbps : Number(match?.[1] ?? 0);
  if (mbps < 1 || mbps > mostIpv6Mbps) {
    throw invalid(annotations, ipv6BandwidthAnnotation, `Mbit/s such as "100M", 1M to ${mostIpv6Mbps}M`);
  }
  return enabled ? mbps * megabit : undefined;
}

function readMbps(annotations: Annotations, name: string, absent: number, most: number): number {
  const text = annotations[name] ?? "";
  if (text === "") return absent;
  const mbps = /^[1-9]\d{0,5}$/.test(text.trim()) ? Number(text) : 0;
  if (mbps < 1 || mbps > most) throw invalid(annotations, name, `a whole number of Mbit/s, 1 to ${most}`);
  return mbps;
}

function readFlag(annotations: Annotations, name: string): boolean {
  const value = annotations[name] ?? "";
  if (!["", "true", "false"].includes(value)) throw invalid(annotations, name, '"true" or "false"');
  return value === "true";
}

function invalid(annotations: Annotations, name: string, want: string): AgentError {
  const value = JSON.stringify((annotations[name] ?? "").slice(0, 200));
  return new AgentError("InvalidArgument", `Invalid annotation ${name} ${value}: must be ${want}`);
}

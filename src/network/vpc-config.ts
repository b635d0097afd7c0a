import { AgentError } from "../common/errors.ts";
import type { SecurityGroup } from "../manifests/security-group.ts";
import { type Cidr, cidrContains, cidrOverlaps, formatCidr, parseCidr } from "./cidr.ts";
import { type Eip, type EipPool, type EipPoolSettings, type EipSettings, parseEipPools, parseEips } from "./eip.ts";
import { ReservedRange } from "./reserved-range.ts";

/** One `[[network.vpcs]]` of the configuration, its ranges still text. */
export interface VpcSettings {
  readonly id: string;
  /** "10.88.0.0/16" */
  readonly cidr: string;
  /** "fd00:88::/56"; empty: pods get no IPv6 address. */
  readonly ipv6Cidr: string;
  /** Whether pods reach the internet through a NAT gateway. */
  readonly natGateway: boolean;
  /** Who does, and as which EIP; left out: all of the VPC, as the host. */
  readonly snatEntries?: readonly SnatSettings[];
}

/** Whose packets a NAT gateway translates: those of a vSwitch, or of a range such as "10.88.1.0/24". */
export interface SnatSettings {
  readonly source: string;
  /** Id of an EIP they leave with; empty: the host's address. */
  readonly eip: string;
}

/** One `[[network.vswitches]]` of the configuration, its ranges still text. */
export interface VswitchSettings {
  readonly id: string;
  readonly vpc: string;
  readonly zone: string;
  readonly cidr: string;
  /** Empty: no IPv6 in this vSwitch. */
  readonly ipv6Cidr: string;
  /** Blocks and ranges whose addresses are never given out: "10.88.1.0/28", "10.88.0.9-10.88.0.20". */
  readonly reserved?: readonly string[];
}

export interface NetworkSettings {
  readonly vpcs: readonly VpcSettings[];
  readonly vswitches: readonly VswitchSettings[];
  readonly securityGroups?: readonly SecurityGroup[];
  readonly eips?: readonly EipSettings[];
  readonly eipPools?: readonly EipPoolSettings[];
}

export interface Vpc {
  readonly id: string;
  readonly cidr: Cidr;
  readonly ipv6Cidr: Cidr | undefined;
  readonly natGateway: boolean;
  /** Of the NAT gateway, the smallest range first. */
  readonly snatEntries: readonly SnatEntry[];
}

export interface SnatEntry {
  readonly source: Cidr;
  /** undefined: the host's own. */
  readonly address: string | undefined;
}

export interface Vswitch {
  readonly id: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly cidr: Cidr;
  readonly ipv6Cidr: Cidr | undefined;
  readonly reserved: readonly ReservedRange[];
}

/** The checked form: at least one VPC and one vSwitch; the first vSwitch is the default one. */
export interface NetworkConfig {
  readonly vpcs: readonly Vpc[];
  readonly vswitches: readonly Vswitch[];
  /** The first of a VPC is its default. */
  readonly securityGroups: readonly SecurityGroup[];
  readonly eips: readonly Eip[];
  readonly eipPools: readonly EipPool[];
}

/** Ids end up in the names of pins: short, and no character with a meaning to a path. */
const idPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/i;
const forbidden = [
  { range: "0.0.0.0/8", why: '"this network" (RFC 791)' },
  { range: "100.64.0.0/10", why: "the cloud's own services" },
  { range: "127.0.0.0/8", why: "loopback" },
  { range: "169.254.0.0/16", why: "link-local, and the links between host and VPC" },
  { range: "224.0.0.0/3", why: "multicast and reserved" },
  { range: "::/8", why: "loopback and unspecified" },
  { range: "fe80::/10", why: "link-local" },
  { range: "ff00::/8", why: "multicast" },
].map(({ range, why }) => ({ cidr: parseCidr("forbidden range", range), why }));

/**
 * Checks the network part of the configuration; pure.
 * @throws AgentError InvalidArgument naming the field and its value
 */
export function parseNetworkConfig(settings: NetworkSettings): NetworkConfig {
  const eips = parseEips(settings.eips ?? []);
  const eipPools = parseEipPools(settings.eipPools ?? []);
  refuseTwins("network.eips", eips);
  refuseTwins("network.eip_pools", eipPools);
  const vpcs = settings.vpcs.map((vpc, index) => parseVpc(`network.vpcs[${index}]`, vpc, settings.vswitches, eips));
  refuseSharedEips(vpcs);
  refuseInsideVpcs(vpcs, eips, eipPools);
  const vswitches = settings.vswitches.map((vswitch, index) =>
    parseVswitch(`network.vswitches[${index}]`, vswitch, vpcs),
  );
  if (vpcs.length === 0) throw invalid("network.vpcs", [], "one VPC or more");
  if (vswitches.length === 0) throw invalid("network.vswitches", [], "one vSwitch or more");
  refuseTwins("network.vpcs", vpcs);
  refuseTwins("network.vswitches", vswitches);
  for (const [index, vswitch] of vswitches.entries()) {
    for (const [earlier, other] of vswitches.slice(0, index).entries()) {
      refuseOverlap(`network.vswitches[${index}]`, vswitch, `network.vswitches[${earlier}]`, other);
    }
  }
  const { securityGroups = [] } = settings;
  refuseTwins("network.security_groups", securityGroups);
  for (const [index, { vpcId }] of securityGroups.entries()) {
    refuseUnknownVpc(`network.security_groups[${index}].vpc`, vpcId, vpcs);
  }
  return { vpcs, vswitches, securityGroups, eips, eipPools };
}

function parseVpc(
  field: string,
  settings: VpcSettings,
  vswitches: readonly VswitchSettings[],
  eips: readonly Eip[],
): Vpc {
  const { id, natGateway, snatEntries } = settings;
  const cidr = parseRange(`${field}.cidr`, settings.cidr, 4, 8, 28);
  const everybody = natGateway ? [{ source: cidr, address: undefined }] : [];
  if (!natGateway && snatEntries !== undefined && snatEntries.length > 0) {
    throw invalid(`${field}.snat_entries`, snatEntries, "absent with nat_gateway = false");
  }
  const entries = snatEntries?.map((entry, index) => {
    const own = vswitches.filter(({ vpc }) => vpc === id);
    return parseSnatEntry(`${field}.snat_entries[${index}]`, entry, cidr, own, eips);
  });
  return {
    id: parseId(`${field}.id`, id),
    cidr,
    ipv6Cidr: optionalRange(`${field}.ipv6_cidr`, settings.ipv6Cidr, 40, 64),
    natGateway,
    snatEntries: (entries ?? everybody).toSorted((a, b) => b.source.prefixLength - a.source.prefixLength),
  };
}

function parseSnatEntry(
  field: string,
  { source: text, eip: eipId }: SnatSettings,
  vpcCidr: Cidr,
  vswitches: readonly VswitchSettings[],
  eips: readonly Eip[],
): SnatEntry {
  const source = parseRange(
    `${field}.source`,
    vswitches.find(({ id }) => id === text)?.cidr ?? text,
    4,
    vpcCidr.prefixLength,
    32,
  );
  if (!cidrContains(vpcCidr, source)) {
    throw invalid(`${field}.source`, text, `a vSwitch of the VPC, or a range inside "${formatCidr(vpcCidr)}"`);
  }
  const eip = eips.find(({ id }) => id === eipId);
  if (eip === undefined && eipId !== "") {
    throw invalid(
      `${field}.eip`,
      eipId,
      `an EIP of network.eips: ${eips.map(({ id }) => id).join(", ") || "there is none"}`,
    );
  }
  return { source, address: eip?.address };
}

/** An address inside a VPC is a pod's. */
function refuseInsideVpcs(vpcs: readonly Vpc[], eips: readonly Eip[], pools: readonly EipPool[]): void {
  const ranges = [
    ...eips.map(({ address }, index) => ({ field: `network.eips[${index}].address`, text: `${address}/32` })),
    ...pools.map(({ cidr }, index) => ({ field: `network.eip_pools[${index}].cidr`, text: formatCidr(cidr) })),
  ];
  for (const { field, text } of ranges) {
    const vpc = vpcs.find(({ cidr }) => cidrOverlaps(cidr, parseCidr(field, text)));
    if (vpc !== undefined) {
      throw invalid(field, text.replace(/\/32$/, ""), `outside ${formatCidr(vpc.cidr)} of VPC "${vpc.id}"`);
    }
  }
}

/** Answers from the internet can be led to one router only. */
function refuseSharedEips(vpcs: readonly Vpc[]): void {
  const users = new Map<string, string>();
  for (const { id, snatEntries } of vpcs) {
    for (const { address } of snatEntries) {
      if (address === undefined) continue;
      const other = users.get(address);
      if (other !== undefined && other !== id) {
        throw invalid("network.vpcs[].snat_entries", address, `an EIP of one VPC: "${other}" and "${id}" use it`);
      }
      users.set(address, id);
    }
  }
}

function parseVswitch(field: string, settings: VswitchSettings, vpcs: readonly Vpc[]): Vswitch {
  const vpc = refuseUnknownVpc(`${field}.vpc`, settings.vpc, vpcs);
  const vswitch = {
    id: parseId(`${field}.id`, settings.id),
    vpcId: vpc.id,
    zone: settings.zone,
    cidr: parseRange(`${field}.cidr`, settings.cidr, 4, 16, 28),
    ipv6Cidr: optionalRange(`${field}.ipv6_cidr`, settings.ipv6Cidr, 64, 64),
  };
  const ranges = vswitch.ipv6Cidr === undefined ? [vswitch.cidr] : [vswitch.cidr, vswitch.ipv6Cidr];
  if (!cidrContains(vpc.cidr, vswitch.cidr)) {
    throw invalid(`${field}.cidr`, settings.cidr, `inside "${formatCidr(vpc.cidr)}" of VPC "${vpc.id}"`);
  }
  if (vswitch.ipv6Cidr !== undefined) {
    if (vpc.ipv6Cidr === undefined) {
      throw invalid(`${field}.ipv6_cidr`, settings.ipv6Cidr, `absent: VPC "${vpc.id}" has no ipv6_cidr`);
    }
    if (!cidrContains(vpc.ipv6Cidr, vswitch.ipv6Cidr)) {
      throw invalid(`${field}.ipv6_cidr`, settings.ipv6Cidr, `inside "${formatCidr(vpc.ipv6Cidr)}" of VPC "${vpc.id}"`);
    }
  }
  const reserved = (settings.reserved ?? []).map((text, index) =>
    ReservedRange.parse(`${field}.reserved[${index}]`, text, ranges),
  );
  return { ...vswitch, reserved };
}

function parseId(field: string, text: string): string {
  if (!idPattern.test(text))
    throw invalid(field, text, "1 to 63 letters, digits, - and _, beginning with a letter or digit");
  return text;
}

function optionalRange(field: string, text: string, shortest: number, longest: number): Cidr | undefined {
  return text === "" ? undefined : parseRange(field, text, 6, shortest, longest);
}

/** @param shortest bits of the largest range allowed, `longest` of the smallest */
function parseRange(field: string, text: string, family: 4 | 6, shortest: number, longest: number): Cidr {
  const cidr = parseCidr(field, text);
  if (cidr.family !== family) throw invalid(field, text, `an IPv${family} range`);
  if (cidr.prefixLength < shortest || cidr.prefixLength > longest) {
    throw invalid(field, text, shortest === longest ? `a /${shortest}` : `between /${shortest} and /${longest}`);
  }
  const clash = forbidden.find(({ cidr: taken }) => cidrOverlaps(taken, cidr));
  if (clash !== undefined) throw invalid(field, text, `outside ${formatCidr(clash.cidr)}: ${clash.why}`);
  return cidr;
}

function refuseUnknownVpc(field: string, id: string, vpcs: readonly Vpc[]): Vpc {
  const vpc = vpcs.find((candidate) => candidate.id === id);
  if (vpc !== undefined) return vpc;
  throw invalid(
    field,
    id,
    `the id of a VPC: ${vpcs.map((candidate) => candidate.id).join(", ") || "none is configured"}`,
  );
}

function refuseTwins(field: string, items: readonly { readonly id: string }[]): void {
  const seen = new Set<string>();
  for (const [index, { id }] of items.entries()) {
    if (seen.has(id)) throw invalid(`${field}[${index}].id`, id, "another one: an earlier entry has this id");
    seen.add(id);
  }
}

function refuseOverlap(field: string, vswitch: Vswitch, otherField: string, other: Vswitch): void {
  if (vswitch.vpcId !== other.vpcId) return;
  if (cidrOverlaps(vswitch.cidr, other.cidr)) {
    throw invalid(
      `${field}.cidr`,
      formatCidr(vswitch.cidr),
      `apart from ${otherField}.cidr "${formatCidr(other.cidr)}"`,
    );
  }
  if (
    vswitch.ipv6Cidr !== undefined &&
    other.ipv6Cidr !== undefined &&
    cidrOverlaps(vswitch.ipv6Cidr, other.ipv6Cidr)
  ) {
    throw invalid(
      `${field}.ipv6_cidr`,
      formatCidr(vswitch.ipv6Cidr),
      `apart from ${otherField}.ipv6_cidr "${formatCidr(other.ipv6Cidr)}"`,
    );
  }
}

function invalid(field: string, value: unknown, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid ${field} ${JSON.stringify(value)}: must be ${want}`);
}

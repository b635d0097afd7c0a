import { formatIp, ipFromBytes, parseIp } from "../common/ip-address.ts";
import type { KernelCommand, LinkRequest } from "../system/kernel-command.ts";
import type { EniRecord } from "./eni-record.ts";
import type { HostPort } from "./host-port.ts";
import { groupChains, memberSets } from "./plan-group-rules.ts";
import { planHostEip, planHostEipRemoval } from "./plan-host-eips.ts";
import { planHostPorts, planHostPortsRemoval } from "./plan-host-ports.ts";
import { planShaping } from "./plan-shaping.ts";
import type { VpcRouterSpec } from "./vpc-router-spec.ts";

/** Every router's side of an ENI has the same Ethernet address, as the cloud's gateway has. */
const gatewayMac = "ee:ff:ff:ff:ff:ff";
/** The IPv6 gateway of every pod. */
const ipv6Gateway = "fe80::1";

/** Names of nftables tables in routers: one of family inet, one of family arp. */
export const tables = { router: "podling" } as const;

/** What an ENI may send from. */
export interface EniBinding {
  readonly linkName: string;
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string | undefined;
  /** Ids of its security groups. */
  readonly groups: readonly string[];
  /** Ports that lead to it from the host. */
  readonly hostPorts?: readonly HostPort[];
  /** Its own address of the internet. */
  readonly eip?: string;
  /** Whether its IPv6 address leads out of the VPC. */
  readonly ipv6Internet?: boolean;
}

/** An ENI's commands in the order in which they are carried out; the pod can't send before its rules are there. */
export interface EniPlan {
  /** Both ends, still down. */
  readonly link: readonly KernelCommand[];
  /** What holds it to its limits. */
  readonly shaping: readonly KernelCommand[];
  readonly rules: readonly KernelCommand[];
  readonly router: readonly KernelCommand[];
  readonly pod: readonly KernelCommand[];
  /** Its host ports and its EIP. */
  readonly host: readonly KernelCommand[];
}

/** Pure: an allocated ENI → what gives it to its pod. Its security groups' chains are the router's. */
export function planEni(router: VpcRouterSpec, instance: string, eni: EniRecord): EniPlan {
  return {
    link: planLink(router, instance, eni),
    shaping: planShaping(router, eniAlias(instance, eni.id), eni),
    rules: planBinding(router.netns, "add", bindingOf(eni)),
    router: planRouterSide(router, instance, eni),
    pod: planPodSide(eni),
    host: [...planHostPorts(instance, router, eni), ...planHostEip(instance, router, eni)],
  };
}

export function bindingOf({ linkName, network, hostPorts }: EniRecord): EniBinding {
  const { mac, ipv4, ipv6, securityGroups = [], eip, ipv6Internet } = network;
  return {
    linkName,
    mac,
    ipv4,
    ipv6,
    groups: securityGroups,
    ...(hostPorts && { hostPorts }),
    ...(eip && { eip: eip.address }),
    ...(ipv6Internet && { ipv6Internet }),
  };
}

/** The alias of a router's end; what a sweep knows an ENI's link by. */
export function eniAlias(instance: string, eniId: string): string {
  return `podling/${instance}/eni/${eniId}`;
}

/**
 * Cuts an ENI off: what its pod sends is dropped from now on, answers included. Unless it has an EIP, it takes no lock of
 * the network stack, which may be busy for 20 ms with the removal of another pod; the router's routes go with the link.
 * Doing it again does nothing.
 */
export function planEniCut(router: VpcRouterSpec, instance: string, eni: EniRecord): readonly KernelCommand[] {
  return [
    ...planHostPortsRemoval(instance, eni),
    ...planHostEipRemoval(instance, router, eni),
    ...planBinding(router.netns, "remove", bindingOf(eni)),
  ];
}

/** The router's addresses, routes and neighbours of an ENI whose link exists; harmless when they do too. */
function planRouterSide(router: VpcRouterSpec, instance: string, eni: EniRecord): readonly KernelCommand[] {
  const { linkName: link, network } = eni;
  const requests: LinkRequest[] = [
    { kind: "setProxyDelay", link, delayMs: 0 },
    { kind: "setLink", link, up: true, alias: eniAlias(instance, eni.id) },
    { kind: "addAddress", link, address: network.ipv4Gateway, prefixLength: 32 },
    { kind: "addRoute", destination: `${network.ipv4}/32`, link },
    { kind: "addNeighbour", link, address: network.ipv4, mac: network.mac },
  ];
  if (network.ipv6 !== undefined) {
    requests.push(
      { kind: "addAddress", link, address: ipv6Gateway, prefixLength: 64 },
      { kind: "addRoute", destination: `${network.ipv6}/128`, link },
      { kind: "addNeighbour", link, address: network.ipv6, mac: network.mac },
    );
  }
  return [{ kind: "links", netns: router.netns, requests }];
}

/** Elements of a set in a router, their parts in the order of the set's type; of a map, all lead to one chain or address. */
export interface RouterElements {
  readonly family: "inet" | "arp";
  readonly name: string;
  readonly elements: readonly (readonly (string | number)[])[];
  readonly chain?: string;
  readonly address?: string;
}

/** Its ways to the internet and back. */
function internetElements({ ipv4, ipv6, eip, ipv6Internet }: EniBinding): readonly RouterElements[] {
  const own = (name: string, element: string, address?: string): RouterElements => {
    return { family: "inet", name, elements: [[element]], ...(address && { address }) };
  };
  return [
    ...(eip === undefined ? [] : [own("eip_in", eip, ipv4), own("eip_out", ipv4, eip), own("internet4", ipv4)]),
    ...(ipv6 === undefined || ipv6Internet !== true ? [] : [own("internet6", ipv6)]),
  ];
}

/** Its membership of groups, and the way to the chains that judge its packets. */
function groupElements({ linkName, ipv4, ipv6, groups }: EniBinding): readonly RouterElements[] {
  const chains = groupChains(groups);
  const memberships = groups
    .map(memberSets)
    .flatMap((sets): readonly RouterElements[] => [
      { family: "inet", name: sets.ipv4, elements: [[ipv4]] },
      ...(ipv6 === undefined ? [] : [{ family: "inet" as const, name: sets.ipv6, elements: [[ipv6]] }]),
    ]);
  return [
    ...memberships,
    { family: "inet", name: "ingress", elements: [[linkName]], chain: chains.ingress },
    { family: "inet", name: "egress", elements: [[linkName]], chain: chains.egress },
  ];
}

/** The ports of an ENI that its host ports lead to: open to whoever comes through the host. */
function publishedElements({ ipv4, ipv6, hostPorts = [] }: EniBinding): readonly RouterElements[] {
  const open = new Map(hostPorts.map(({ protocol, containerPort: port }) => [`${protocol}/${port}`, [protocol, port]]));
  const of = (name: "published4" | "published6", address: string): RouterElements => {
    return { family: "inet", name, elements: [...open.values()].map((parts) => [address, ...parts]) };
  };
  if (open.size === 0) return [];
  return [of("published4", ipv4), ...(ipv6 === undefined ? [] : [of("published6", ipv6)])];
}

/** The elements of an ENI in the router's sets. Its link-local address is the one its Ethernet address gives. */
export function eniElements(binding: EniBinding): readonly RouterElements[] {
  const { linkName, mac, ipv4, ipv6 } = binding;
  const elements4 = [[linkName, mac, ipv4]] as const;
  const sets = [
    { family: "inet", name: "bound4", elements: elements4 },
    { family: "arp", name: "bound4", elements: elements4 },
    ...publishedElements(binding),
    ...groupElements(binding),
    ...internetElements(binding),
  ] as const;
  if (ipv6 === undefined) return sets;
  const elements6 = [
    [linkName, mac, ipv6],
    [linkName, mac, linkLocalOf(mac)],
  ] as const;
  return [...sets, { family: "inet", name: "bound6", elements: elements6 }];
}

/** RFC 4291 appendix A: "00:16:3e:01:02:03" → "fe80::216:3eff:fe01:203". */
export function linkLocalOf(mac: string): string {
  const bytes = Buffer.from(mac.replaceAll(":", ""), "hex");
  const id = Buffer.concat([bytes.subarray(0, 3), Buffer.of(0xff, 0xfe), bytes.subarray(3)]);
  id.writeUInt8(id.readUInt8(0) ^ 2, 0);
  const address = ipFromBytes(Buffer.concat([Buffer.from("fe80000000000000", "hex"), id]));
  return formatIp(address ?? parseIp("link-local address", "fe80::"));
}

function planLink(router: VpcRouterSpec, instance: string, eni: EniRecord): readonly KernelCommand[] {
  const values = {
    // The allocator guarantees that an address is unique, and nobody but the router may tell a pod its routes.
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
  };
  const veth: LinkRequest = {
    kind: "addVeth",
    name: eni.linkName,
    mac: gatewayMac,
    mtu: router.mtu,
    alias: eniAlias(instance, eni.id),
    peer: { name: eni.network.interfaceName, netns: eni.netnsPath, mac: eni.network.mac },
  };
  const links: KernelCommand = { kind: "links", netns: router.netns, requests: [veth] };
  return eni.network.ipv6 === undefined ? [links] : [{ kind: "sysctls", netns: eni.netnsPath, values }, links];
}

/** Adding before deleting makes the deletion of something absent succeed, within one transaction. */
function planBinding(netns: string, change: "add" | "remove", binding: EniBinding): readonly KernelCommand[] {
  const commands = eniElements(binding).flatMap(({ family, name, elements, chain, address }) => {
    const keys = elements.map((parts) => (parts.length === 1 ? parts[0] : { concat: parts }));
    const target = chain === undefined ? address : { goto: { target: chain } };
    const elem = target === undefined ? keys : keys.map((key) => [key, target]);
    const element = { family, table: tables.router, name, elem };
    return change === "add" ? [{ add: { element } }] : [{ add: { element } }, { delete: { element } }];
  });
  // Where the table itself is missing, nothing is bound.
  return [{ kind: "nftables", netns, commands, ...(change === "remove" ? { ignore: ["ENOENT"] } : {}) }];
}

function planPodSide({ netnsPath, network }: EniRecord): readonly KernelCommand[] {
  const link = network.interfaceName;
  const requests: LinkRequest[] = [
    { kind: "setLink", link, up: true },
    { kind: "addAddress", link, address: network.ipv4, prefixLength: network.ipv4PrefixLength },
    { kind: "addRoute", destination: "0.0.0.0/0", gateway: network.ipv4Gateway, link },
  ];
  if (network.ipv6 !== undefined) {
    requests.push(
      // IPv6 has no proxy for a whole range, so neighbours are reached like everybody else: through the gateway.
      {
        kind: "addAddress",
        link,
        address: network.ipv6,
        prefixLength: network.ipv6PrefixLength ?? 64,
        noPrefixRoute: true,
      },
      { kind: "addRoute", destination: "::/0", gateway: ipv6Gateway, link },
    );
  }
  return [{ kind: "links", netns: netnsPath, requests }];
}

import { hostNetns, type KernelCommand, type LinkRequest } from "../system/kernel-command.ts";
import { formatCidr } from "./cidr.ts";
import { type EniBinding, eniElements, type RouterElements, tables } from "./plan-eni.ts";
import { groupChains, groupDefinition, groupRemoval, recipientChain } from "./plan-group-rules.ts";
import type { VpcGroups } from "./security-groups.ts";
import type { SnatEntry } from "./vpc-config.ts";
import { gatewayLink, translatesIpv6, type VpcRouterSpec } from "./vpc-router-spec.ts";

/**
 * A VPC's router as kernel commands. It is a network namespace with a link for each ENI and one to the host. Every
 * command can be carried out again on a router that has it already, without disturbing what passes through.
 */

/** Settings links inherit, so they come before the first link. */
export function planRouterSysctls(router: VpcRouterSpec): readonly KernelCommand[] {
  const ipv4 = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    // The router answers ARP for a pod's neighbours: there is no broadcast domain, and every packet passes here.
    "net/ipv4/conf/default/proxy_arp": "1",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/all/accept_redirects": "0",
    "net/ipv4/conf/default/accept_redirects": "0",
  };
  const ipv6 = {
    "net/ipv6/conf/all/forwarding": "1",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
    // No address of its own making: fe80::1 is set by us.
    "net/ipv6/conf/default/addr_gen_mode": "1",
  };
  const values = router.vpc.ipv6Cidr === undefined ? ipv4 : { ...ipv4, ...ipv6 };
  return [{ kind: "sysctls", netns: router.netns, values }];
}

/** The link to the host, still down. */
export function planRouterLink(router: VpcRouterSpec): readonly KernelCommand[] {
  return [
    {
      kind: "links",
      netns: hostNetns,
      requests: [
        {
          kind: "addVeth",
          name: router.hostLink,
          mtu: router.mtu,
          alias: router.alias,
          peer: { name: gatewayLink, netns: router.netns },
        },
      ],
    },
    { kind: "links", netns: router.netns, requests: [{ kind: "setLink", link: gatewayLink, alias: router.alias }] },
  ];
}

/** Addresses of the link, and the router's routes. Who may take the way out of the VPC is a matter of its rules. */
export function planRouterRoutes(router: VpcRouterSpec): readonly KernelCommand[] {
  const { host, router: own } = router.addresses;
  const { cidr, ipv6Cidr } = router.vpc;
  const requests: LinkRequest[] = [
    { kind: "addAddress", link: gatewayLink, address: own.ipv4, prefixLength: 30 },
    { kind: "setLink", link: gatewayLink, up: true },
    // The address brings a route to its /30, but only when it is new.
    { kind: "addRoute", destination: `${host.ipv4}/32`, link: gatewayLink },
    // An address nobody has stays dark, instead of going out by the default route.
    { kind: "addRoute", destination: formatCidr(cidr), unreachable: true },
    // The host's neighbourhood, and the metadata service of the machine's own cloud, are not the pod's.
    { kind: "addRoute", destination: "169.254.0.0/16", unreachable: true },
    { kind: "addRoute", destination: "0.0.0.0/0", gateway: host.ipv4, link: gatewayLink },
  ];
  if (ipv6Cidr !== undefined) {
    requests.push(
      { kind: "addAddress", link: gatewayLink, address: own.ipv6, prefixLength: 126 },
      // To forward a pod's packet it asks for the host's Ethernet address, which takes a link-local one.
      { kind: "addAddress", link: gatewayLink, address: "fe80::2", prefixLength: 64 },
      { kind: "addRoute", destination: `${host.ipv6}/128`, link: gatewayLink },
      { kind: "addRoute", destination: formatCidr(ipv6Cidr), unreachable: true },
      { kind: "addRoute", destination: "::/0", gateway: host.ipv6, link: gatewayLink },
    );
  }
  return [
    {
      kind: "links",
      netns: router.netns,
      requests: [{ kind: "setLink", link: "lo", up: true }],
    },
    { kind: "links", netns: router.netns, requests },
  ];
}

/** The host's side: its address, and the routes to the pods of the one VPC it can reach. */
export function planHostLink(router: VpcRouterSpec): readonly KernelCommand[] {
  const { host, router: gateway } = router.addresses;
  const { cidr, ipv6Cidr } = router.vpc;
  const link = router.hostLink;
  const requests: LinkRequest[] = [
    { kind: "addAddress", link, address: host.ipv4, prefixLength: 30 },
    { kind: "setLink", link, up: true },
  ];
  if (ipv6Cidr !== undefined) requests.push({ kind: "addAddress", link, address: host.ipv6, prefixLength: 126 });
  if (router.reachableFromHost) {
    const via = { kind: "addRoute", link } as const;
    requests.push({ ...via, destination: formatCidr(cidr), gateway: gateway.ipv4, source: host.ipv4 });
    if (ipv6Cidr !== undefined) {
      requests.push({ ...via, destination: formatCidr(ipv6Cidr), gateway: gateway.ipv6, source: host.ipv6 });
    }
  }
  return [{ kind: "links", netns: hostNetns, requests }];
}

/**
 * The router's rules as one transaction, in place of those it had, with the bindings of exactly these ENIs and the security
 * groups that are in force. What a pod sends is judged by its own groups first, then by the recipient's; who has no
 * entry in the maps sends and gets nothing.
 */
export function planRouterRules(
  router: VpcRouterSpec,
  enis: readonly EniBinding[],
  groups: VpcGroups,
): readonly KernelCommand[] {
  const { host } = router.addresses;
  const { snatEntries } = router.vpc;
  const table = `inet ${tables.router}`;
  const text = `
add table ${table}
delete table ${table}
add table ${table}
add set ${table} bound4 { type ifname . ether_addr . ipv4_addr; }
add set ${table} published4 { type ipv4_addr . inet_proto . inet_service; }
add set ${table} published6 { type ipv6_addr . inet_proto . inet_service; }
add set ${table} bound6 { type ifname . ether_addr . ipv6_addr; }
add map ${table} ingress { type ifname : verdict; }
add map ${table} egress { type ifname : verdict; }
add map ${table} eip_in { type ipv4_addr : ipv4_addr; }
add map ${table} eip_out { type ipv4_addr : ipv4_addr; }
add set ${table} internet4 { type ipv4_addr; }
add set ${table} internet6 { type ipv6_addr; }
add chain ${table} incoming { type nat hook prerouting priority -100; policy accept; }
add chain ${table} antispoofing { type filter hook prerouting priority -300; policy accept; }
add chain ${table} to_router { type filter hook input priority 0; policy drop; }
add chain ${table} through_router { type filter hook forward priority 0; policy drop; }
add chain ${table} outgoing { type nat hook postrouting priority 100; policy accept; }
add chain ${table} ${recipientChain}
add rule ${table} antispoofing iifname != "eni*" accept
add rule ${table} antispoofing ip6 saddr :: icmpv6 type nd-neighbor-solicit accept
add rule ${table} antispoofing meta nfproto ipv4 iifname . ether saddr . ip saddr @bound4 accept
add rule ${table} antispoofing meta nfproto ipv6 iifname . ether saddr . ip6 saddr @bound6 accept
add rule ${table} antispoofing drop
add rule ${table} to_router iifname "lo" accept
add rule ${table} to_router ct state established,related accept
add rule ${table} to_router meta l4proto { icmp, ipv6-icmp } accept
add rule ${table} through_router ct state established,related accept
add rule ${table} through_router ct state invalid drop
add rule ${table} through_router iifname vmap @egress
add rule ${table} through_router iifname "${gatewayLink}" ip daddr . meta l4proto . th dport @published4 accept
add rule ${table} through_router iifname "${gatewayLink}" ip6 daddr . meta l4proto . th dport @published6 accept
add rule ${table} through_router iifname "${gatewayLink}" ip saddr ${host.ipv4} oifname "eni*" accept
add rule ${table} through_router iifname "${gatewayLink}" ip6 saddr ${host.ipv6} oifname "eni*" accept
add rule ${table} through_router iifname "${gatewayLink}" ct status dnat oifname vmap @ingress
add rule ${table} through_router iifname "${gatewayLink}" ip6 daddr @internet6 oifname vmap @ingress
add rule ${table} ${recipientChain} oifname vmap @ingress
add rule ${table} ${recipientChain} oifname != "${gatewayLink}" drop
add rule ${table} ${recipientChain} ip daddr ${host.ipv4} accept
add rule ${table} ${recipientChain} ip6 daddr ${host.ipv6} accept
add rule ${table} ${recipientChain} ip saddr @internet4 accept
add rule ${table} ${recipientChain} ip6 saddr @internet6 accept
${snatEntries.map(({ source }) => `add rule ${table} ${recipientChain} ip saddr ${formatCidr(source)} accept`).join("\n")}
add rule ${table} ${recipientChain} reject with icmpx type no-route
add rule ${table} incoming dnat ip to ip daddr map @eip_in
add rule ${table} outgoing oifname "${gatewayLink}" snat ip to ip saddr map @eip_out
${snatEntries.map((entry) => `add rule ${table} outgoing oifname "${gatewayLink}" ${translation(entry)}`).join("\n")}
${translatesIpv6(router) ? `add rule ${table} outgoing oifname "${gatewayLink}" ip6 saddr @internet6 masquerade` : ""}
${groupLists(enis)
  .flatMap((ids) => groupDefinition(table, ids, groups))
  .join("\n")}
add table arp ${tables.router}
delete table arp ${tables.router}
add table arp ${tables.router}
add set arp ${tables.router} bound4 { type ifname . ether_addr . ipv4_addr; }
add chain arp ${tables.router} antispoofing { type filter hook input priority 0; policy accept; }
add rule arp ${tables.router} antispoofing iifname "eni*" iifname . arp saddr ether . arp saddr ip != @bound4 drop
${enis.flatMap(eniElements).map(elementText).join("\n")}
`;
  return [{ kind: "nftables", netns: router.netns, commands: text }];
}

/** What an ENI needs of its router before its own rules: the chains of its list of groups. It may be carried out again. */
export function planGroups(router: VpcRouterSpec, ids: readonly string[], groups: VpcGroups): readonly KernelCommand[] {
  const commands = groupDefinition(`inet ${tables.router}`, ids, groups).join("\n");
  return [{ kind: "nftables", netns: router.netns, commands: `${commands}\n` }];
}

/** Takes away what {@link planGroups} gave for lists that no interface has any more. */
export function planGroupsRemoval(
  router: VpcRouterSpec,
  lists: readonly (readonly string[])[],
  sets: readonly string[],
): readonly KernelCommand[] {
  const commands = groupRemoval(`inet ${tables.router}`, lists, sets).join("\n");
  return [{ kind: "nftables", netns: router.netns, commands: `${commands}\n` }];
}

/** Each different list of groups once. */
export function groupLists(enis: readonly EniBinding[]): readonly (readonly string[])[] {
  return [...new Map(enis.map(({ groups }) => [groupChains(groups).egress, groups])).values()];
}

function translation({ source, address }: SnatEntry): string {
  return `ip saddr ${formatCidr(source)} ${address === undefined ? "masquerade" : `snat ip to ${address}`}`;
}

function elementText({ family, name, elements, chain, address }: RouterElements): string {
  const value = chain === undefined ? address : `goto ${chain}`;
  const target = value === undefined ? "" : ` : ${value}`;
  return elements
    .map((parts) => `add element ${family} ${tables.router} ${name} { ${parts.map(quoted).join(" . ")}${target} }`)
    .join("\n");
}

/** Names of links need quotes; addresses, protocols and ports must have none. */
function quoted(part: string | number): string {
  return typeof part === "string" && part.startsWith("eni") ? `"${part}"` : String(part);
}

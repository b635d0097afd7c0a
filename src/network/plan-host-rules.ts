import { hostNetns, type KernelCommand } from "../system/kernel-command.ts";
import { formatCidr } from "./cidr.ts";
import type { EniRecord } from "./eni-record.ts";
import { hostTable } from "./host-table.ts";
import { eipSet, snatAddresses } from "./plan-host-eips.ts";
import { hostPortRules } from "./plan-host-ports.ts";
import { hostLinkPrefix, translatesIpv6, type VpcRouterSpec } from "./vpc-router-spec.ts";

/**
 * The host's rules, replaced as a whole in one transaction. Pods don't reach the host itself, no VPC reaches another one through
 * it, nobody outside reaches a pod but by a host port, an EIP or an IPv6 address that leads out, and only what a router
 * has translated leaves, and IPv6 addresses of the internet.
 * @param holders of host ports and EIPs
 */
export function planHostRules(
  instance: string,
  routers: readonly VpcRouterSpec[],
  holders: readonly Pick<EniRecord, "hostPorts" | "network">[] = [],
): readonly KernelCommand[] {
  const table = `inet ${hostTable(instance)}`;
  const all = set(routers.map(({ hostLink }) => `"${hostLink}"`));
  const closed = routers.filter(({ vpc }) => !vpc.natGateway).map(({ hostLink }) => `"${hostLink}"`);
  const natted = routers
    .filter(({ vpc }) => vpc.snatEntries.some(({ address }) => address === undefined))
    .map(({ addresses }) => addresses.router.ipv4);
  const eips = [...routers.flatMap(snatAddresses), ...holders.flatMap(({ network }) => network.eip?.address ?? [])];
  const six = routers.filter(({ vpc }) => vpc.ipv6Cidr !== undefined);
  const masked6 = six.filter(translatesIpv6).map(({ addresses }) => addresses.router.ipv6);
  const global6 = six
    .filter((router) => !translatesIpv6(router))
    .flatMap(({ vpc: { ipv6Cidr } }) => (ipv6Cidr === undefined ? [] : [formatCidr(ipv6Cidr)]));
  const text = `
add table ${table}
delete table ${table}
add table ${table}
add set ${table} ${eipSet} { type ipv4_addr; }
${eips.length === 0 ? "" : `add element ${table} ${eipSet} ${set(eips)}`}
add chain ${table} from_pods { type filter hook input priority 0; policy accept; }
add chain ${table} through_host { type filter hook forward priority 0; policy accept; }
add chain ${table} outgoing { type nat hook postrouting priority 100; policy accept; }
add rule ${table} from_pods iifname != ${all} accept
add rule ${table} from_pods ct state established,related accept
add rule ${table} from_pods meta l4proto { icmp, ipv6-icmp } accept
add rule ${table} from_pods drop
${hostPortRules(table, holders)}
add rule ${table} through_host oifname ${all} ct status dnat accept
add rule ${table} through_host iifname ${all} ct status dnat ct state established,related accept
add rule ${table} through_host iifname ${all} oifname "${hostLinkPrefix}*" drop
add rule ${table} through_host iifname "${hostLinkPrefix}*" oifname ${all} drop
add rule ${table} through_host oifname ${all} ct state established,related accept
add rule ${table} through_host oifname ${all} ip daddr @${eipSet} accept
${global6.length === 0 ? "" : `add rule ${table} through_host oifname ${all} ip6 daddr ${set(global6)} accept`}
add rule ${table} through_host oifname ${all} drop
add rule ${table} through_host iifname ${all} ip saddr @${eipSet} accept
${six.length === 0 ? "" : `add rule ${table} through_host iifname ${all} ip6 saddr ${set([...masked6, ...global6])} accept`}
add rule ${table} through_host iifname ${all} ${natted.length === 0 ? "" : `ip saddr != ${set(natted)}`} drop
add rule ${table} through_host iifname ${all} meta nfproto ipv6 drop
add rule ${table} outgoing oifname ${all} ct status dnat meta nfproto ipv6 masquerade
add rule ${table} outgoing oifname ${all} ct status dnat fib saddr type local masquerade
${closed.length === 0 ? "" : `add rule ${table} outgoing oifname ${set(closed)} ct status dnat masquerade`}
${natted.length === 0 ? "" : `add rule ${table} outgoing ip saddr ${set(natted)} oifname ${all} ct status dnat masquerade`}
${natted.length === 0 ? "" : `add rule ${table} outgoing ip saddr ${set(natted)} oifname != "${hostLinkPrefix}*" masquerade`}
${masked6.length === 0 ? "" : `add rule ${table} outgoing ip6 saddr ${set(masked6)} oifname != "${hostLinkPrefix}*" masquerade`}
`;
  return [{ kind: "nftables", netns: hostNetns, commands: text }];
}

/** Takes the table away, whether it is there or not. */
export function planHostRulesRemoval(instance: string): readonly KernelCommand[] {
  const table = `inet ${hostTable(instance)}`;
  return [{ kind: "nftables", netns: hostNetns, commands: `add table ${table}\ndelete table ${table}\n` }];
}

function set(items: readonly string[]): string {
  return `{ ${items.join(", ")} }`;
}

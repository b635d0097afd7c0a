import { hostNetns, type KernelCommand } from "../system/kernel-command.ts";
import type { EniRecord } from "./eni-record.ts";
import { hostTable } from "./host-table.ts";
import { hostPortRules } from "./plan-host-ports.ts";
import { hostLinkPrefix, type VpcRouterSpec } from "./vpc-router-spec.ts";

/**
 * The host's rules, replaced as a whole in one transaction. Pods don't reach the host itself, no VPC reaches another one through
 * it, nobody outside reaches a pod but by a host port, and only addresses a NAT gateway has translated leave.
 * @param holders of host ports
 */
export function planHostRules(
  instance: string,
  routers: readonly VpcRouterSpec[],
  holders: readonly Pick<EniRecord, "hostPorts" | "network">[] = [],
): readonly KernelCommand[] {
  const table = `inet ${hostTable(instance)}`;
  const all = set(routers.map(({ hostLink }) => `"${hostLink}"`));
  const closed = routers.filter(({ vpc }) => !vpc.natGateway).map(({ hostLink }) => `"${hostLink}"`);
  const natted = routers.filter(({ vpc }) => vpc.natGateway).map(({ addresses }) => addresses.router.ipv4);
  const text = `
add table ${table}
delete table ${table}
add table ${table}
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
add rule ${table} through_host oifname ${all} drop
add rule ${table} through_host iifname ${all} ${natted.length === 0 ? "" : `ip saddr != ${set(natted)}`} drop
add rule ${table} through_host iifname ${all} meta nfproto ipv6 drop
add rule ${table} outgoing oifname ${all} ct status dnat meta nfproto ipv6 masquerade
add rule ${table} outgoing oifname ${all} ct status dnat fib saddr type local masquerade
${closed.length === 0 ? "" : `add rule ${table} outgoing oifname ${set(closed)} ct status dnat masquerade`}
${natted.length === 0 ? "" : `add rule ${table} outgoing ip saddr ${set(natted)} oifname ${all} ct status dnat masquerade`}
${natted.length === 0 ? "" : `add rule ${table} outgoing ip saddr ${set(natted)} oifname != "${hostLinkPrefix}*" masquerade`}
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

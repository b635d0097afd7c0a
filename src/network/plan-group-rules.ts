import type { SecurityGroup, SecurityRule } from "../manifests/security-group.ts";
import { linkSuffix } from "./eni-record.ts";
import type { VpcGroups } from "./security-groups.ts";

/**
 * Security groups as nftables: a set of members for each group and family, and for each list of groups that some
 * interface has, one chain for what it sends and one for what it gets. Maps lead from a link to its chains, so that a
 * packet takes the same few steps whether there are ten interfaces or a thousand.
 */

/** Where a packet goes whose sender may send it: the chain of who gets it. */
export const recipientChain = "to_recipient";
const ipv4SetPrefix = "members4_";

/** The chains of an interface with these groups; their order says nothing. */
export function groupChains(ids: readonly string[]): { readonly egress: string; readonly ingress: string } {
  const key = linkSuffix("groups", ...ids.toSorted());
  return { egress: `egress_${key}`, ingress: `ingress_${key}` };
}

export function memberSets(id: string): { readonly ipv4: string; readonly ipv6: string } {
  return { ipv4: `${ipv4SetPrefix}${id}`, ipv6: `members6_${id}` };
}

/** Every set that the chains of a list look into. */
export function groupSets(ids: readonly string[], groups: VpcGroups): readonly string[] {
  const own = ids.map((id) => groups.get(id)).filter((group) => group !== undefined);
  const peers = own.flatMap(({ rules }) => rules).flatMap(({ peer }) => (isGroup(peer) ? [peer.group] : []));
  return [...new Set([...ids, ...peers])].map(memberSets).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
}

/** Takes away the chains of lists that no interface has, then sets that nothing looks into, as nft commands. */
export function groupRemoval(
  table: string,
  lists: readonly (readonly string[])[],
  sets: readonly string[],
): readonly string[] {
  const chains = lists.map(groupChains).flatMap(({ egress, ingress }) => [egress, ingress]);
  return [
    ...chains.flatMap((chain) => [`flush chain ${table} ${chain}`, `delete chain ${table} ${chain}`]),
    ...sets.map((set) => `delete set ${table} ${set}`),
  ];
}

/**
 * The definition of a list's chains and of every set they look into, as nft commands that can be given again.
 * @param groups what is in force; a group of the list that is not among them allows nothing
 */
export function groupDefinition(table: string, ids: readonly string[], groups: VpcGroups): readonly string[] {
  const own = ids.map((id) => groups.get(id)).filter((group) => group !== undefined);
  const rules = orderedRules(own);
  const { egress, ingress } = groupChains(ids);
  const chain = (name: string, lines: readonly string[]) => [
    `add chain ${table} ${name}`,
    `flush chain ${table} ${name}`,
    ...lines.map((line) => `add rule ${table} ${name} ${line}`),
  ];
  const lines = (direction: SecurityRule["direction"]) =>
    rules.filter((rule) => rule.direction === direction).flatMap(ruleLines);
  // Of an enterprise group nothing leaves, and of a group that is gone, unless a rule lets it.
  const leavesByDefault = own.length > 0 && own.every(({ type }) => type === "basic");
  return [
    ...groupSets(ids, groups).map(
      (set) => `add set ${table} ${set} { type ${set.startsWith(ipv4SetPrefix) ? "ipv4_addr" : "ipv6_addr"}; }`,
    ),
    `add chain ${table} ${recipientChain}`,
    ...chain(egress, [...lines("egress"), leavesByDefault ? `goto ${recipientChain}` : "drop"]),
    ...chain(ingress, [...lines("ingress"), ...own.flatMap(intranetLines), "drop"]),
  ];
}

/** By priority; at the same priority what drops goes first, whichever group it is of. */
export function orderedRules(groups: readonly SecurityGroup[]): readonly SecurityRule[] {
  const weight = ({ priority, policy }: SecurityRule) => priority * 2 + (policy === "drop" ? 0 : 1);
  return groups.flatMap(({ rules }) => rules).toSorted((a, b) => weight(a) - weight(b));
}

function intranetLines({ id, type, intranet }: SecurityGroup): readonly string[] {
  if (type !== "basic" || intranet !== "accept") return [];
  const { ipv4, ipv6 } = memberSets(id);
  return [`ip saddr @${ipv4} accept`, `ip6 saddr @${ipv6} accept`];
}

/** A rule's matches, once for each family that its peer has. */
function ruleLines({ direction, policy, protocol, ports, peer }: SecurityRule): readonly string[] {
  const verdict = policy === "drop" ? "drop" : direction === "egress" ? `goto ${recipientChain}` : "accept";
  const field = direction === "ingress" ? "saddr" : "daddr";
  return peerMatches(peer, field).map((match) =>
    [match, protocolMatch(protocol, ports), verdict].filter((part) => part !== "").join(" "),
  );
}

function peerMatches(peer: SecurityRule["peer"], field: "saddr" | "daddr"): readonly string[] {
  if (peer === "all") return [""];
  if (isGroup(peer)) {
    const { ipv4, ipv6 } = memberSets(peer.group);
    return [`ip ${field} @${ipv4}`, `ip6 ${field} @${ipv6}`];
  }
  return [`${peer.family === 4 ? "ip" : "ip6"} ${field} ${peer.cidr}`];
}

function protocolMatch(protocol: SecurityRule["protocol"], ports: SecurityRule["ports"]): string {
  if (protocol === "all") return "";
  if (ports.length === 0) return `meta l4proto ${protocol === "icmpv6" ? "ipv6-icmp" : protocol}`;
  const spans = ports.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`));
  return `${protocol} dport { ${spans.join(", ")} }`;
}

function isGroup(peer: SecurityRule["peer"]): peer is { readonly group: string } {
  return typeof peer === "object" && "group" in peer;
}

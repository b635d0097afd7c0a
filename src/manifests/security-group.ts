import { z } from "zod";
import { addressBits, readIp } from "../common/ip-address.ts";
import type { Manifest } from "./manifest.ts";
import { readPart } from "./manifest-fault.ts";

export const securityGroupApiVersion = "podling.dev/v1";

const protocols = ["all", "tcp", "udp", "icmp", "icmpv6", "gre"] as const;
const maxRules = 200;
/** A group's id; the ids of a VPC's groups end up in names of nftables sets. */
const idPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** One rule of a security group. Of the rules of all groups of an interface the first that matches decides. */
export interface SecurityRule {
  readonly direction: "ingress" | "egress";
  readonly policy: "accept" | "drop";
  readonly protocol: (typeof protocols)[number];
  /** Destination ports and ranges, first and last included; empty: all. */
  readonly ports: readonly { readonly first: number; readonly last: number }[];
  /** The other end: everybody, a range such as "10.0.0.0/8", or the members of a group of the same VPC. */
  readonly peer: "all" | { readonly family: 4 | 6; readonly cidr: string } | { readonly group: string };
  /** 1 goes first, 100 last; of two of the same number the one that drops. */
  readonly priority: number;
}

/** What a group lets in and out, as in the cloud. */
export interface SecurityGroup {
  readonly id: string;
  readonly vpcId: string;
  /** "basic": what no rule decides may leave, and may come in from members. "enterprise": may do neither. */
  readonly type: "basic" | "enterprise";
  /** Whether the members of a basic group reach each other where no rule decides. */
  readonly intranet: "accept" | "drop";
  readonly rules: readonly SecurityRule[];
}

const groupId = z.string().regex(idPattern, "must be 1 to 63 of a-z, 0-9 and -, starting with a letter or digit");

const ruleSchema = z
  .strictObject(
    {
      direction: z.enum(["ingress", "egress"], 'must be "ingress" or "egress"'),
      policy: z.enum(["accept", "drop"], 'must be "accept" or "drop"').default("accept"),
      protocol: z.enum(protocols, `must be one of ${protocols.join(", ")}`).default("all"),
      ports: z.string('must be text such as "80", "8000-8999" or "80,443"').default("").transform(readPorts),
      source: z.string("must be a range or a group's id").optional(),
      destination: z.string("must be a range or a group's id").optional(),
      priority: z.int("must be a whole number").min(1, "must be 1 to 100").max(100, "must be 1 to 100").default(1),
    },
    "must be a rule",
  )
  .transform((rule, context): SecurityRule => {
    const refuse = (field: string, message: string): never => {
      context.addIssue({ code: "custom", path: [field], message });
      return z.NEVER;
    };
    const { source, destination, ...rest } = rule;
    const [own, other] =
      rule.direction === "ingress" ? (["source", "destination"] as const) : (["destination", "source"] as const);
    if (rule[other] !== undefined)
      return refuse(other, `must be left out of an ${rule.direction} rule, which has a ${own}`);
    if (rule.ports.length > 0 && rule.protocol !== "tcp" && rule.protocol !== "udp") {
      return refuse("ports", 'must be left out: only "tcp" and "udp" have ports');
    }
    const peer = readPeer(rule[own]);
    if (peer === undefined) return refuse(own, 'must be a range such as "10.0.0.0/8" or "fd00::/8", or a group\'s id');
    const family = typeof peer === "object" && "family" in peer ? peer.family : undefined;
    const wrongFamily = { icmp: 6, icmpv6: 4, all: 0, tcp: 0, udp: 0, gre: 0 }[rule.protocol];
    if (family === wrongFamily) return refuse(own, `must be a range of the family of "${rule.protocol}"`);
    return { ...rest, peer };
  });

/** What a group's declaration says besides its id: an entry of the configuration, or the spec of a manifest. */
const shape = {
  vpc: z.string("must be the id of a VPC").min(1, "must be the id of a VPC"),
  type: z.enum(["basic", "enterprise"], 'must be "basic" or "enterprise"').default("basic"),
  intranet: z.enum(["accept", "drop"], 'must be "accept" or "drop"').default("accept"),
  rules: z.array(ruleSchema, "must be a list of rules").max(maxRules, `must be at most ${maxRules} rules`).default([]),
};

const specSchema = z.strictObject(shape, "must be a SecurityGroup's spec").superRefine(checkPeers);

/** One `[[network.security_groups]]` of the configuration. */
export const securityGroupSchema = z
  .strictObject({ id: groupId, ...shape }, "must be a table")
  .superRefine(checkPeers)
  .transform(({ vpc, ...group }): SecurityGroup => ({ ...group, vpcId: vpc }));

/**
 * Reads a group's manifest. Without this kind, an operator's changes of groups would need a restart.
 * @throws AgentError InvalidArgument naming file, line and field
 */
export function parseSecurityGroup(manifest: Manifest): SecurityGroup {
  const id = readPart(manifest, ["metadata", "name"], groupId);
  const { vpc, ...group } = readPart(manifest, ["spec"], specSchema);
  return { id, vpcId: vpc, ...group };
}

/** As in the cloud, groups of this type know addresses only. */
function checkPeers(group: Pick<SecurityGroup, "type" | "rules">, context: z.core.$RefinementCtx): void {
  const index = group.rules.findIndex(({ peer }) => typeof peer === "object" && "group" in peer);
  if (group.type !== "enterprise" || index < 0) return;
  const field = group.rules[index]?.direction === "ingress" ? "source" : "destination";
  const message = "must be a range: rules of an enterprise group can't name groups";
  context.addIssue({ code: "custom", path: ["rules", index, field], message });
}

function readPorts(text: string, context: z.core.$RefinementCtx): SecurityRule["ports"] {
  if (text.trim() === "") return [];
  const ports = text.split(",").map((part) => {
    const [first = 0, last = first] = /^\d{1,5}(?:-\d{1,5})?$/.test(part.trim()) ? part.split("-").map(Number) : [];
    return { first, last };
  });
  const right = ports.every(({ first, last }) => first >= 1 && first <= last && last <= 65_535);
  if (right && ports.length <= 50) return merged(ports);
  context.addIssue({
    code: "custom",
    message: 'must be at most 50 ports and ranges of 1 to 65535, such as "80" or "80,8000-8999"',
  });
  return z.NEVER;
}

/** In order and without overlaps, which a set of nftables does not take. */
function merged(ports: SecurityRule["ports"]): SecurityRule["ports"] {
  const apart: { first: number; last: number }[] = [];
  for (const { first, last } of ports.toSorted((a, b) => a.first - b.first)) {
    const before = apart.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else apart.push({ first, last });
  }
  return apart;
}

function readPeer(text: string | undefined): SecurityRule["peer"] | undefined {
  if (text === undefined) return "all";
  if (idPattern.test(text)) return { group: text };
  const [address = "", length = "", ...rest] = text.split("/");
  const ip = readIp(address);
  if (ip === undefined || rest.length > 0) return undefined;
  const bits = addressBits(ip.family);
  const prefix = length === "" && !text.includes("/") ? bits : /^\d{1,3}$/.test(length) ? Number(length) : bits + 1;
  if (prefix > bits || (ip.value & ((1n << BigInt(bits - prefix)) - 1n)) !== 0n) return undefined;
  return { family: ip.family, cidr: `${address}/${prefix}` };
}

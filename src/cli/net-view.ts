import type { CheckNetworkResponse__Output } from "../generated/podling/v1/CheckNetworkResponse.ts";
import type { DescribeNetworkResponse__Output } from "../generated/podling/v1/DescribeNetworkResponse.ts";
import type { Eip__Output } from "../generated/podling/v1/Eip.ts";
import type { Eni__Output } from "../generated/podling/v1/Eni.ts";
import type { NetworkAddress__Output } from "../generated/podling/v1/NetworkAddress.ts";
import type { SecurityGroup__Output } from "../generated/podling/v1/SecurityGroup.ts";
import type { Vswitch__Output } from "../generated/podling/v1/Vswitch.ts";
import type { AgentClient } from "./agent-client.ts";
import { soon } from "./agent-client.ts";
import { type Columns, formatRows, formatValue, type OutputFormat } from "./output.ts";

/** What `podling net LIST` can list: its description, and how. */
export const netLists = {
  vswitches: "list the vSwitches and how full they are",
  enis: "list the pods' interfaces",
  ips: "list the addresses that are not free, and why",
  "security-groups": "list the security groups and how many pods are in them",
  eips: "list the addresses of the internet and who has them",
} as const;
export type NetList = keyof typeof netLists;

const vswitchColumns: Columns<Vswitch__Output> = [
  ["VSWITCH", ({ id }) => id],
  ["VPC", ({ vpc }) => vpc],
  ["ZONE", ({ zone }) => zone],
  ["CIDR", ({ cidr }) => cidr],
  ["IPV6", ({ ipv6_cidr }) => ipv6_cidr || "-"],
  ["GATEWAY", ({ gateway }) => gateway],
  ["TOTAL", ({ total }) => String(total)],
  ["USED", ({ used }) => String(used)],
  ["HELD", ({ held }) => String(held)],
  ["RESTING", ({ resting }) => String(resting)],
  ["FREE", ({ free }) => String(free)],
];

const eniColumns: Columns<Eni__Output> = [
  ["ENI", ({ id }) => id],
  ["POD", podOf],
  ["STATE", ({ state }) => state],
  ["VSWITCH", ({ vswitch }) => vswitch],
  ["MAC", ({ mac }) => mac],
  ["ADDRESSES", ({ ipv4, ipv6 }) => [ipv4, ipv6].filter((address) => address !== "").join(" ")],
  ["EIP", ({ eip }) => eip || "-"],
  ["SECURITY GROUPS", ({ security_groups }) => security_groups.join(",")],
  ["LINK", ({ link }) => link],
];

const addressColumns: Columns<NetworkAddress__Output> = [
  ["ADDRESS", ({ address }) => address],
  ["VSWITCH", ({ vswitch }) => vswitch],
  ["STATE", ({ state }) => state],
  ["POD", ({ pod }) => pod || "-"],
  ["ENI", ({ eni }) => eni],
  ["FREE AT", ({ free_at }) => (free_at === "0" ? "-" : timeText(free_at))],
];

const groupColumns: Columns<SecurityGroup__Output> = [
  ["SECURITY GROUP", ({ id }) => id],
  ["VPC", ({ vpc }) => vpc],
  ["TYPE", ({ type }) => type || "-"],
  ["INTRANET", ({ intranet }) => intranet || "-"],
  ["FROM", ({ origin }) => origin],
  ["RULES", ({ rules }) => String(rules)],
  ["PODS", ({ members }) => String(members)],
];

const eipColumns: Columns<Eip__Output> = [
  ["EIP", ({ id }) => id],
  ["ADDRESS", ({ address }) => address],
  ["MBIT/S", ({ bandwidth }) => String(bandwidth)],
  ["FROM", ({ origin }) => origin],
  [
    "USED BY",
    ({ pod, nat_gateway_vpc: vpc }) => (pod === "" ? (vpc === "" ? "-" : `NAT gateway of ${vpc}`) : `pod ${pod}`),
  ],
];

/** One of the lists, in the format that was asked for. @throws AgentError */
export async function listNetwork(client: AgentClient, list: NetList, format: OutputFormat): Promise<string> {
  const found = await client.ask<DescribeNetworkResponse__Output>((done) =>
    client.admin.DescribeNetwork({}, soon(), done),
  );
  switch (list) {
    case "vswitches":
      return formatRows(format, found.vswitches, vswitchColumns);
    case "enis":
      return formatRows(format, found.enis, eniColumns);
    case "ips":
      return formatRows(format, found.addresses, addressColumns);
    case "security-groups":
      return formatRows(format, found.security_groups, groupColumns);
    case "eips":
      return formatRows(format, found.eips, eipColumns);
    default:
      return list satisfies never;
  }
}

export interface NetVerdict {
  readonly text: string;
  /** How many were found. */
  readonly differences: number;
}

/** Each interface's record beside the kernel's state, differences marked. @throws AgentError */
export async function mapNetwork(client: AgentClient, format: OutputFormat): Promise<NetVerdict> {
  const found = await compare(client);
  const differences = count(found);
  if (format !== "table") return { text: formatValue(format, found), differences };
  const rows = found.enis.flatMap(({ eni, differences: own }) => (eni === null ? [] : [{ eni, own }]));
  const table = formatRows("table", rows, [
    ["", ({ own }) => (own.length === 0 ? " " : "!")],
    ["POD", ({ eni }) => podOf(eni)],
    ["ENI", ({ eni }) => eni.id],
    ["VSWITCH", ({ eni }) => eni.vswitch],
    ["ADDRESSES", ({ eni }) => [eni.ipv4, eni.ipv6].filter((address) => address !== "").join(" ")],
    ["LINK", ({ eni }) => eni.link],
    ["KERNEL", ({ own }) => (own.length === 0 ? "matches" : `differs: ${own.length}`)],
  ]);
  return { text: `${table}${differenceLines(found)}`, differences };
}

/** What was compared, and every difference. @throws AgentError */
export async function checkNetwork(client: AgentClient, format: OutputFormat): Promise<NetVerdict> {
  const found = await compare(client);
  const differences = count(found);
  if (format !== "table") return { text: formatValue(format, found), differences };
  const compared = found.checks.map((check) => `compared  ${check}\n`).join("");
  const verdict =
    differences === 0
      ? `records and kernel agree on ${found.enis.length} interfaces
`
      : "";
  return { text: `${compared}${differenceLines(found)}${verdict}`, differences };
}

function compare(client: AgentClient): Promise<CheckNetworkResponse__Output> {
  return client.ask<CheckNetworkResponse__Output>((done) => client.admin.CheckNetwork({}, soon(), done));
}

function count({ enis, differences }: CheckNetworkResponse__Output): number {
  return differences.length + enis.reduce((sum, eni) => sum + eni.differences.length, 0);
}

function differenceLines({ enis, differences }: CheckNetworkResponse__Output): string {
  const own = enis.flatMap((check) => check.differences.map((text) => `! ${check.eni?.link ?? ""}: ${text}\n`));
  return [...own, ...differences.map((text) => `! ${text}\n`)].join("");
}

function podOf({ namespace, name }: Eni__Output): string {
  return `${namespace}/${name}`;
}

function timeText(seconds: string): string {
  return new Date(Number(seconds) * 1000).toISOString().replace(".000Z", "Z");
}

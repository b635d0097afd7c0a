import { createHash } from "node:crypto";
import { AgentError } from "../common/errors.ts";
import { netnsDirectory } from "../system/netns-directory.ts";
import { formatCidr, isUniqueLocal, parseCidr } from "./cidr.ts";
import { linkSuffix } from "./eni-record.ts";
import { type LinkNet, type LinkNetAddresses, linkNetAddresses } from "./plan-link-net.ts";
import type { Vpc } from "./vpc-config.ts";

/** Name of the link to the host inside every router. */
export const gatewayLink = "ngw0";
/** How the links of all agents to their routers begin, so that each can tell them from uplinks. */
export const hostLinkPrefix = "ngw";

/** The durable truth about one VPC's router: enough to build it again without the configuration. */
export interface VpcRecord {
  readonly id: string;
  readonly cidr: string;
  readonly ipv6Cidr: string | undefined;
  readonly natGateway: boolean;
  /** Absent in records from before there were any: a NAT gateway was for all. */
  readonly snatEntries?: readonly { readonly source: string; readonly address: string | undefined }[];
  readonly linkNet: LinkNet;
}

/** Everything a router's plans are made from. */
export interface VpcRouterSpec {
  readonly vpc: Vpc;
  /** Pin of its namespace. */
  readonly netns: string;
  /** The host's end of the link, at most 15 characters, and the alias that proves whose it is. */
  readonly hostLink: string;
  readonly alias: string;
  readonly addresses: LinkNetAddresses;
  readonly linkNet: LinkNet;
  /** The host routes this VPC's ranges to it: true for one VPC at most, for ranges of several may be the same. */
  readonly reachableFromHost: boolean;
  readonly mtu: number;
}

/** Where an instance's pins of routers begin; the rest of the name is the VPC's id. */
export function routerPinPrefix(instance: string): string {
  return `${netnsDirectory}/podling-${instance}-vpc-`;
}

export function routerSpec(
  instance: string,
  record: VpcRecord,
  facts: { readonly reachableFromHost: boolean; readonly mtu: number },
): VpcRouterSpec {
  return {
    vpc: vpcOfRecord(record),
    netns: `${routerPinPrefix(instance)}${record.id}`,
    hostLink: `${hostLinkPrefix}${linkSuffix(instance, record.id)}`,
    alias: `podling/${instance}/vpc/${record.id}`,
    addresses: linkNetAddresses(record.linkNet),
    linkNet: record.linkNet,
    ...facts,
  };
}

export function vpcRecord(vpc: Vpc, linkNet: LinkNet): VpcRecord {
  return {
    id: vpc.id,
    cidr: formatCidr(vpc.cidr),
    ipv6Cidr: vpc.ipv6Cidr === undefined ? undefined : formatCidr(vpc.ipv6Cidr),
    natGateway: vpc.natGateway,
    snatEntries: vpc.snatEntries.map(({ source, address }) => ({ source: formatCidr(source), address })),
    linkNet,
  };
}

export function vpcOfRecord(record: VpcRecord): Vpc {
  const everybody = record.natGateway ? [{ source: record.cidr, address: undefined }] : [];
  return {
    id: record.id,
    cidr: parseCidr("stored VPC range", record.cidr),
    ipv6Cidr: record.ipv6Cidr === undefined ? undefined : parseCidr("stored VPC range", record.ipv6Cidr),
    natGateway: record.natGateway,
    snatEntries: (record.snatEntries ?? everybody).map(({ source, address }) => ({
      source: parseCidr("stored SNAT entry", source),
      address,
    })),
  };
}

/** Whether IPv6 packets to the internet get another source address: nobody there has a route back to the pod's. */
export function translatesIpv6({ vpc, reachableFromHost }: VpcRouterSpec): boolean {
  return !reachableFromHost || isUniqueLocal(vpc.ipv6Cidr);
}

/** Where a VPC's search for link networks begins. */
export function linkNetSeed(instance: string, vpcId: string): Uint8Array {
  return createHash("sha256").update(`link\0${instance}\0${vpcId}`).digest();
}

/** Checks a stored VPC. @throws AgentError DataLoss */
export function decodeVpcRecord(value: unknown): VpcRecord {
  const record = value as VpcRecord;
  const texts = [record?.id, record?.cidr, record?.linkNet?.ipv4, record?.linkNet?.ipv6];
  if (!texts.every((text) => typeof text === "string" && text !== "")) {
    throw new AgentError("DataLoss", "A stored VPC is not one: a field is missing or of another type");
  }
  return record;
}

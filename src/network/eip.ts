import { AgentError } from "../common/errors.ts";
import { formatIp, parseIp, readIp } from "../common/ip-address.ts";
import { type Cidr, cidrAddress, cidrOffset, cidrSize, formatCidr, parseCidr } from "./cidr.ts";

/** One `[[network.eips]]` of the configuration: an address of the internet that pods may ask for by its id. */
export interface EipSettings {
  readonly id: string;
  /** "203.0.113.5", which leads to this host. */
  readonly address: string;
  /** Mbit/s in each direction. */
  readonly bandwidth: number;
}

/** One `[[network.eip_pools]]` of the configuration: addresses of EIPs that are made with a pod and go with it. */
export interface EipPoolSettings {
  readonly id: string;
  /** "203.0.113.16/28", which leads to this host. */
  readonly cidr: string;
  readonly isp: "BGP" | "BGP_PRO";
}

export interface Eip {
  readonly id: string;
  readonly address: string;
  readonly bandwidthMbps: number;
}

export interface EipPool {
  readonly id: string;
  readonly cidr: Cidr;
  readonly isp: "BGP" | "BGP_PRO";
}

/** @throws AgentError InvalidArgument naming the field */
export function parseEips(settings: readonly EipSettings[]): readonly Eip[] {
  return settings.map(({ id, address, bandwidth }, index) => {
    const field = `network.eips[${index}]`;
    const ip = parseIp(`${field}.address`, address);
    if (ip.family !== 4) throw invalid(`${field}.address`, address, "an IPv4 address");
    const twin = settings.slice(0, index).find((other) => other.address === address);
    if (twin !== undefined) throw invalid(`${field}.address`, address, `another one: EIP "${twin.id}" has it`);
    return { id, address: formatIp(ip), bandwidthMbps: bandwidth };
  });
}

/** @throws AgentError InvalidArgument naming the field */
export function parseEipPools(settings: readonly EipPoolSettings[]): readonly EipPool[] {
  return settings.map(({ id, cidr: text, isp }, index) => {
    const field = `network.eip_pools[${index}].cidr`;
    const cidr = parseCidr(field, text);
    if (cidr.family !== 4 || cidr.prefixLength < 16) throw invalid(field, text, "an IPv4 range of /16 or smaller");
    return { id, cidr, isp };
  });
}

/** The addresses of a pool that nobody has, without counting them all. @param pick a number below its argument */
export function freePoolAddress(
  pool: EipPool,
  taken: ReadonlySet<string>,
  pick: (below: number) => number,
): string | undefined {
  const offsets = new Set<bigint>();
  for (const address of taken) {
    const ip = readIp(address);
    const offset = ip === undefined ? undefined : cidrOffset(pool.cidr, ip);
    if (offset !== undefined) offsets.add(offset);
  }
  const size = Number(cidrSize(pool.cidr));
  const left = size - offsets.size;
  if (left <= 0) return undefined;
  let skip = pick(left);
  for (let offset = 0n; offset < size; offset++) {
    if (offsets.has(offset)) continue;
    if (skip-- === 0) return formatIp(cidrAddress(pool.cidr, offset));
  }
  return undefined;
}

/** "203.0.113.16/28 (pippool-a)" */
export function describePool({ id, cidr }: EipPool): string {
  return `${formatCidr(cidr)} (${id})`;
}

function invalid(field: string, value: unknown, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid ${field} ${JSON.stringify(value)}: must be ${want}`);
}

import { isIPv4, isIPv6 } from "node:net";
import { AgentError } from "./errors.ts";

/** An IP address as a number of 32 or 128 bits. */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** Bits of an address of the family. */
export function addressBits(family: 4 | 6): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/**
 * Strict: four decimal numbers without leading zeros, or RFC 4291 text without a zone. Nothing else is an address,
 * whatever inet_aton takes.
 * @returns undefined for anything else
 */
export function readIp(text: string): IpAddress | undefined {
  if (isIPv4(text)) return { family: 4, value: readIpv4(text) };
  if (isIPv6(text) && !text.includes("%")) return { family: 6, value: readIpv6(text) };
  return undefined;
}

/** @throws AgentError InvalidArgument naming the field */
export function parseIp(field: string, text: string): IpAddress {
  const address = readIp(text);
  if (address === undefined) {
    throw new AgentError(
      "InvalidArgument",
      `Invalid ${field} ${JSON.stringify(text.slice(0, 100))}: must be an IPv4 or IPv6 address`,
    );
  }
  return address;
}

/** Canonical text: dotted quad, or RFC 5952 (lower case, the longest run of zero groups as "::"). */
export function formatIp({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => Number((value >> BigInt(112 - 16 * index)) & 0xffffn));
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(":");
  return `${hex.slice(0, run.start).join(":")}::${hex.slice(run.start + run.length).join(":")}`;
}

/** Network-order bytes, 4 or 16. */
export function ipToBytes({ family, value }: IpAddress): Buffer {
  return Buffer.from(value.toString(16).padStart(addressBits(family) / 4, "0"), "hex");
}

/** @param bytes 4 or 16 of them, in network order; undefined for any other length */
export function ipFromBytes(bytes: Uint8Array): IpAddress | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  return { family: bytes.length === 4 ? 4 : 6, value: BigInt(`0x${Buffer.from(bytes).toString("hex")}`) };
}

function readIpv4(text: string): bigint {
  return text.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

/** The text is known to be sound; an embedded dotted quad counts as two groups. */
function readIpv6(text: string): bigint {
  const sides = text.split("::").map((side) => (side === "" ? [] : side.split(":").flatMap(groupsOf)));
  const [left = [], right = []] = sides;
  const zeros = sides.length === 2 ? Array<bigint>(8 - left.length - right.length).fill(0n) : [];
  return [...left, ...zeros, ...right].reduce((value, group) => (value << 16n) | group, 0n);
}

function groupsOf(part: string): readonly bigint[] {
  if (!part.includes(".")) return [BigInt(`0x${part}`)];
  const value = readIpv4(part);
  return [value >> 16n, value & 0xffffn];
}

function longestZeroRun(groups: readonly number[]): { readonly start: number; readonly length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let end = start;
    while (groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  return best;
}

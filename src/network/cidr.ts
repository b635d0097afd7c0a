import { AgentError } from "../common/errors.ts";
import { addressBits, formatIp, type IpAddress, readIp } from "../common/ip-address.ts";

/** A range of addresses that share their first `prefixLength` bits; `first` has all others zero. */
export interface Cidr {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly prefixLength: number;
}

/**
 * Reads "10.0.0.0/16" or "fd00::/64". Bits after the prefix must be zero: an address with a length is an interface's,
 * not a range.
 * @param field names the value in the error
 * @throws AgentError InvalidArgument
 */
export function parseCidr(field: string, text: string): Cidr {
  const match = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text);
  const address = match?.[1] === undefined ? undefined : readIp(match[1]);
  const prefixLength = Number(match?.[2]);
  if (address === undefined || !(prefixLength <= addressBits(address.family))) {
    throw invalidCidr(field, text, 'a range such as "10.0.0.0/16" or "fd00::/64"');
  }
  const cidr = { family: address.family, first: address.value, prefixLength };
  const network = address.value & ~(cidrSize(cidr) - 1n);
  if (network !== address.value) {
    throw invalidCidr(field, text, `its first address, "${formatCidr({ ...cidr, first: network })}"`);
  }
  return cidr;
}

/** Canonical text, which {@link parseCidr} reads back. */
export function formatCidr(cidr: Cidr): string {
  return `${formatIp({ family: cidr.family, value: cidr.first })}/${cidr.prefixLength}`;
}

/** How many addresses it has, reserved ones included. */
export function cidrSize(cidr: Pick<Cidr, "family" | "prefixLength">): bigint {
  return 1n << BigInt(addressBits(cidr.family) - cidr.prefixLength);
}

/** The address at an offset from the first. @throws RangeError outside the range */
export function cidrAddress(cidr: Cidr, offset: bigint): IpAddress {
  if (offset < 0n || offset >= cidrSize(cidr)) throw new RangeError(`${offset} is outside ${formatCidr(cidr)}`);
  return { family: cidr.family, value: cidr.first + offset };
}

/** The offset of an address from the first, or undefined when it lies outside. */
export function cidrOffset(cidr: Cidr, address: IpAddress): bigint | undefined {
  const offset = address.value - cidr.first;
  return address.family === cidr.family && offset >= 0n && offset < cidrSize(cidr) ? offset : undefined;
}

/** Whether every address of the inner range is in the outer one. */
export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  return (
    inner.prefixLength >= outer.prefixLength &&
    cidrOffset(outer, { family: inner.family, value: inner.first }) !== undefined
  );
}

/** Whether any address is in both. Ranges never overlap in part: one contains the other. */
export function cidrOverlaps(left: Cidr, right: Cidr): boolean {
  return cidrContains(left, right) || cidrContains(right, left);
}

/** Whether a range is of fc00::/7 (RFC 4193), which the internet has no route to. */
export function isUniqueLocal(cidr: Cidr | undefined): boolean {
  return cidr?.family === 6 && cidr.first >> 121n === 0x7en;
}

function invalidCidr(field: string, text: string, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid ${field} ${JSON.stringify(text.slice(0, 100))}: must be ${want}`);
}

import { AgentError } from "../common/errors.ts";
import { formatIp, ipFromBytes } from "../common/ip-address.ts";
import { type Cidr, cidrAddress, cidrOverlaps, formatCidr, parseCidr } from "./cidr.ts";

/** The two small networks between the host and a VPC's router. */
export interface LinkNet {
  /** "169.254.N.M/30": the host is its second address, the router its third. */
  readonly ipv4: string;
  /** "fdxx:xxxx:xxxx::/126", likewise. */
  readonly ipv6: string;
}

/** Both ends' addresses. */
export interface LinkNetAddresses {
  readonly host: { readonly ipv4: string; readonly ipv6: string };
  readonly router: { readonly ipv4: string; readonly ipv6: string };
}

const linkLocal = parseCidr("link-local range", "169.254.0.0/16");
const netsPerByte = 64;
/** RFC 3927 reserves the first and last 256 addresses; the metadata service of clouds lives in the other. */
const avoidedBytes = [0, 169, 255];

/**
 * A pair of link networks that overlap nothing the host knows.
 * @param seed 7 bytes or more of hash: instances that start together begin their search at different places
 * @param taken every range that has a route or an address on the host or in another VPC's record
 * @throws AgentError ResourceExhausted
 */
export function planLinkNet(seed: Uint8Array, taken: readonly Cidr[]): LinkNet {
  const usable = 256 * netsPerByte;
  const start = ((seed[0] ?? 0) << 8) | (seed[1] ?? 0);
  for (let step = 0; step < usable; step++) {
    const index = (start + step) % usable;
    if (avoidedBytes.includes(Math.floor(index / netsPerByte))) continue;
    const candidate: Cidr = { family: 4, first: linkLocal.first + BigInt(index * 4), prefixLength: 30 };
    if (!taken.some((cidr) => cidrOverlaps(cidr, candidate))) {
      return { ipv4: formatCidr(candidate), ipv6: uniqueLocalNet(seed) };
    }
  }
  throw new AgentError(
    "ResourceExhausted",
    `Cannot link a VPC to the host: no /30 of ${formatCidr(linkLocal)} is free of routes and addresses`,
  );
}

export function linkNetAddresses(net: LinkNet): LinkNetAddresses {
  const at = (text: string, offset: bigint) => formatIp(cidrAddress(parseCidr("link network", text), offset));
  return {
    host: { ipv4: at(net.ipv4, 1n), ipv6: at(net.ipv6, 1n) },
    router: { ipv4: at(net.ipv4, 2n), ipv6: at(net.ipv6, 2n) },
  };
}

/** RFC 4193: 40 random bits make a prefix nobody else has. */
function uniqueLocalNet(seed: Uint8Array): string {
  const bytes = Buffer.alloc(16);
  bytes[0] = 0xfd;
  bytes.set(seed.subarray(2, 7), 1);
  const address = ipFromBytes(bytes);
  return `${address === undefined ? "fd00::" : formatIp(address)}/126`;
}

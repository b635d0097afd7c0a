import { formatIp } from "../common/ip-address.ts";
import { type Cidr, cidrAddress, cidrSize } from "./cidr.ts";

/** Which addresses of a range pods may get, and which one is the gateway's. */
export interface RangeLayout {
  readonly cidr: Cidr;
  /** Third from last, as in the cloud. */
  readonly gateway: string;
  /** Offset of the first address a pod may get. */
  readonly firstUsable: bigint;
  /** How many addresses from there on pods may get. */
  readonly usable: bigint;
}

const reservedAtStart = 1n;
const reservedAtEnd = { 4: 3n, 6: 9n } as const;
const gatewayFromEnd = 3n;

/**
 * The first and the last three addresses of an IPv4 range are the cloud's, and the first and the last nine of an IPv6
 * range: a /24 has 252 for pods.
 */
export function planRangeLayout(cidr: Cidr): RangeLayout {
  const size = cidrSize(cidr);
  return {
    cidr,
    gateway: formatIp(cidrAddress(cidr, size - gatewayFromEnd)),
    firstUsable: reservedAtStart,
    usable: size - reservedAtStart - reservedAtEnd[cidr.family],
  };
}

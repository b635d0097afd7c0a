import { AgentError } from "../common/errors.ts";
import type { AddressInfo, LinkInfo, RouteInfo } from "../system/kernel-command.ts";
import { type Cidr, cidrOverlaps, formatCidr, parseCidr } from "./cidr.ts";
import type { Vpc } from "./vpc-config.ts";
import { hostLinkPrefix } from "./vpc-router-spec.ts";

/** The host's network as found. */
export interface HostNetwork {
  readonly links: readonly LinkInfo[];
  readonly addresses: readonly AddressInfo[];
  readonly routes: readonly RouteInfo[];
}

/** Ethernet's, and the most a pod gets. */
const maxMtu = 1500;
/** RT_TABLE_LOCAL: the host's own addresses, which have routes of their own elsewhere. */
const localTable = 255;

/** Ranges the host has a use for already, default routes aside. */
export function takenRanges(host: HostNetwork): readonly Cidr[] {
  const routed = host.routes.map(({ destination }) => destination).filter((text) => !text.endsWith("/0"));
  const owned = host.addresses.map(({ address }) => `${address}/${address.includes(":") ? 128 : 32}`);
  return [...routed, ...owned].map((text) => parseCidr("host route", text));
}

/** What the uplink carries, at most 1500 bytes. */
export function podMtu(host: HostNetwork): number {
  const uplink = host.routes.find(
    ({ destination, linkIndex }) => destination.endsWith("/0") && linkIndex !== undefined,
  );
  const mtu = host.links.find(({ index }) => index === uplink?.linkIndex)?.mtu ?? maxMtu;
  return Math.min(mtu, maxMtu);
}

/**
 * Checks that the host may route a VPC's ranges to its router.
 * @param ownLink the host's end of the router's link, whose routes are our own
 * @throws AgentError FailedPrecondition naming the route in the way
 */
export function checkHostReach(vpc: Vpc, ownLink: string, host: HostNetwork): void {
  const own = host.links.find(({ name }) => name === ownLink)?.index;
  for (const cidr of [vpc.cidr, vpc.ipv6Cidr]) {
    if (cidr === undefined) continue;
    const clash = host.routes.find(
      ({ destination, table, linkIndex }) =>
        table !== localTable &&
        !destination.endsWith("/0") &&
        (own === undefined || linkIndex !== own) &&
        cidrOverlaps(cidr, parseCidr("host route", destination)),
    );
    if (clash !== undefined) throw conflict(vpc, cidr, clash, host);
  }
}

/**
 * Checks that no other agent leads these addresses to a router of its own.
 * @param own links to this agent's routers
 * @throws AgentError FailedPrecondition naming the other's link
 */
export function checkEips(ranges: readonly Cidr[], own: ReadonlySet<string>, host: HostNetwork): void {
  for (const { destination, linkIndex } of host.routes) {
    const link = host.links.find(({ index }) => index === linkIndex);
    if (link === undefined || !link.name.startsWith(hostLinkPrefix) || own.has(link.name)) continue;
    const clash = ranges.find((range) => cidrOverlaps(range, parseCidr("host route", destination)));
    if (clash === undefined) continue;
    throw new AgentError(
      "FailedPrecondition",
      `Cannot use ${formatCidr(clash)} of network.eips or network.eip_pools: this host leads ${destination} to link "${link.name}" (${link.alias})`,
    );
  }
}

function conflict(vpc: Vpc, cidr: Cidr, route: RouteInfo, host: HostNetwork): AgentError {
  const link = host.links.find(({ index }) => index === route.linkIndex);
  const via = link === undefined ? "" : ` through link "${link.name}"${link.alias === "" ? "" : ` (${link.alias})`}`;
  return new AgentError(
    "FailedPrecondition",
    `Cannot route ${formatCidr(cidr)} of VPC "${vpc.id}" on this host: its route ${route.destination}${via} overlaps it; ` +
      "give the VPC another range in network.vpcs, or remove that route",
  );
}

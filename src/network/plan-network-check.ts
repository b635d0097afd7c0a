import type { AddressInfo, LinkInfo, NeighbourInfo, RouteInfo } from "../system/kernel-command.ts";
import { formatCidr } from "./cidr.ts";
import type { EniRecord } from "./eni-record.ts";
import { compareListings, type NftPart } from "./nft-listing.ts";
import { eniAlias } from "./plan-eni.ts";
import { snatAddresses } from "./plan-host-eips.ts";
import { hasShapingLink, shapingLink } from "./plan-shaping.ts";
import { gatewayLink, type VpcRouterSpec } from "./vpc-router-spec.ts";

/** What a namespace has; undefined: it is not there. */
export interface ObservedNamespace {
  readonly links: readonly LinkInfo[];
  readonly addresses: readonly AddressInfo[];
  readonly routes: readonly RouteInfo[];
  readonly neighbours: readonly NeighbourInfo[];
}

/** A namespace's tables as they are, and as they would be if they had just been made. */
export interface ObservedTables {
  readonly found: readonly NftPart[];
  readonly wanted: readonly NftPart[];
}

export interface CheckFacts {
  readonly instance: string;
  readonly routers: readonly VpcRouterSpec[];
  /** Those that hold addresses. */
  readonly enis: readonly EniRecord[];
  /** Links of ENIs that are on their way out. */
  readonly leavingLinks: ReadonlySet<string>;
  readonly host: ObservedNamespace & { readonly tables: ObservedTables };
  /** By VPC. */
  readonly routerNamespaces: ReadonlyMap<string, ObservedNamespace & { readonly tables: ObservedTables }>;
  /** By sandbox. */
  readonly podNamespaces: ReadonlyMap<string, ObservedNamespace>;
}

export interface NetworkCheck {
  readonly enis: readonly { readonly eni: EniRecord; readonly differences: readonly string[] }[];
  /** What belongs to no ENI. */
  readonly differences: readonly string[];
}

/** Pure: records × what the kernel has → where they differ. */
export function planNetworkCheck(facts: CheckFacts): NetworkCheck {
  const { routers, enis, host } = facts;
  const tables = [
    ...compareListings(host.tables.wanted, host.tables.found).map((text) => `host: ${text}`),
    ...routers.flatMap(({ vpc }) => {
      const observed = facts.routerNamespaces.get(vpc.id);
      if (observed === undefined) return [`the router of VPC "${vpc.id}" is not there`];
      return compareListings(observed.tables.wanted, observed.tables.found).map(
        (text) => `router of ${vpc.id}: ${text}`,
      );
    }),
  ];
  const claimed = new Set<string>();
  const checks = enis.map((eni) => {
    const own = tables.filter((text) => isAbout(text, eni));
    for (const text of own) claimed.add(text);
    return { eni, differences: [...eniDifferences(facts, eni), ...own] };
  });
  const others = tables.filter((text) => !claimed.has(text));
  return { enis: checks, differences: [...others, ...routers.flatMap((router) => routerDifferences(facts, router))] };
}

function isAbout(text: string, { linkName, network }: EniRecord): boolean {
  const names = [linkName, network.ipv4, network.ipv6, network.eip?.address].filter((name) => name !== undefined);
  return names.some((name) => text.includes(`"${name}"`));
}

function eniDifferences(facts: CheckFacts, eni: EniRecord): readonly string[] {
  const { linkName, network } = eni;
  const router = facts.routerNamespaces.get(network.vpcId);
  if (router === undefined) return [];
  const link = router.links.find(({ name }) => name === linkName);
  if (link === undefined) return [`link ${linkName} is missing in the router`, ...podDifferences(facts, eni)];
  const addresses = network.ipv6 === undefined ? [network.ipv4] : [network.ipv4, network.ipv6];
  return [
    ...(link.up ? [] : [`link ${linkName} is down`]),
    ...(link.alias === eniAlias(facts.instance, eni.id) ? [] : [`link ${linkName} has the alias "${link.alias}"`]),
    ...addresses.flatMap((address) => [
      ...(hasRoute(router, `${address}/${address.includes(":") ? 128 : 32}`, link.index)
        ? []
        : [`the router has no route to ${address} through ${linkName}`]),
      ...neighbourDifference(router, address, network.mac),
    ]),
    ...(hasShapingLink(network.limits) && !router.links.some(({ name, up }) => name === shapingLink(linkName) && up)
      ? [`link ${shapingLink(linkName)}, which limits what the pod sends, is missing or down`]
      : []),
    ...eipDifference(facts, eni),
    ...podDifferences(facts, eni),
  ];
}

function neighbourDifference(router: ObservedNamespace, address: string, mac: string): readonly string[] {
  const found = router.neighbours.find((neighbour) => neighbour.address === address);
  if (found?.mac === mac && found.permanent) return [];
  return [
    `the router's neighbour ${address} is ${found === undefined ? "missing" : found.mac}, must be ${mac} for good`,
  ];
}

function eipDifference({ routers, host }: CheckFacts, { network }: EniRecord): readonly string[] {
  const router = routers.find(({ vpc }) => vpc.id === network.vpcId);
  if (network.eip === undefined || router === undefined) return [];
  const index = host.links.find(({ name }) => name === router.hostLink)?.index;
  const { address } = network.eip;
  return hasRoute(host, `${address}/32`, index)
    ? []
    : [`the host has no route to ${address} through ${router.hostLink}`];
}

function podDifferences({ podNamespaces }: CheckFacts, { sandboxId, network }: EniRecord): readonly string[] {
  const pod = podNamespaces.get(sandboxId);
  if (pod === undefined) return ["the pod's network namespace is not there"];
  const { interfaceName, mac, ipv4, ipv6 } = network;
  const link = pod.links.find(({ name }) => name === interfaceName);
  if (link === undefined) return [`the pod has no ${interfaceName}`];
  const own = pod.addresses.filter(({ linkIndex }) => linkIndex === link.index).map(({ address }) => address);
  const known = new Set([ipv4, ipv6]);
  return [
    ...(link.up ? [] : [`the pod's ${interfaceName} is down`]),
    ...(link.mac === mac ? [] : [`the pod's ${interfaceName} has MAC ${link.mac}, must be ${mac}`]),
    ...[ipv4, ...(ipv6 === undefined ? [] : [ipv6])]
      .filter((address) => !own.includes(address))
      .map((address) => `the pod's ${interfaceName} has lost ${address}`),
    ...own
      .filter((address) => !known.has(address) && !address.startsWith("fe80:"))
      .map((address) => `the pod's ${interfaceName} has ${address}, which is not its own`),
  ];
}

function routerDifferences(facts: CheckFacts, router: VpcRouterSpec): readonly string[] {
  const observed = facts.routerNamespaces.get(router.vpc.id);
  if (observed === undefined) return [];
  const { vpc, hostLink, addresses } = router;
  const links = [
    { what: `host link ${hostLink}`, link: facts.host.links.find(({ name }) => name === hostLink) },
    { what: `link ${gatewayLink} of ${vpc.id}`, link: observed.links.find(({ name }) => name === gatewayLink) },
  ];
  const outside = facts.host.links.find(({ name }) => name === hostLink)?.index;
  const ranges = [vpc.cidr, ...(vpc.ipv6Cidr === undefined ? [] : [vpc.ipv6Cidr])].map(formatCidr);
  const hostRoutes = [...(router.reachableFromHost ? ranges : []), ...snatAddresses(router).map((ip) => `${ip}/32`)];
  const known = new Set(facts.enis.flatMap(({ linkName }) => [linkName, shapingLink(linkName)]));
  return [
    ...links.flatMap(({ what, link }) => {
      if (link === undefined) return [`${what} is missing`];
      return link.up && link.alias === router.alias
        ? []
        : [`${what} is down or has another alias than "${router.alias}"`];
    }),
    ...hostRoutes
      .filter((range) => !hasRoute(facts.host, range, outside))
      .map((range) => `the host has no route to ${range} through ${hostLink}`),
    ...["0.0.0.0/0", ...(vpc.ipv6Cidr === undefined ? [] : ["::/0"])]
      .filter((range) => !observed.routes.some(({ destination }) => destination === range))
      .map((range) => `the router of ${vpc.id} has no route ${range} by ${addresses.host.ipv4}`),
    ...ranges
      .filter(
        (range) => !observed.routes.some(({ destination, type }) => destination === range && type === unreachable),
      )
      .map((range) => `the router of ${vpc.id} lets unused addresses of ${range} out`),
    ...observed.links
      .filter(({ name }) => /^(?:eni|ifb)/.test(name) && !known.has(name) && !facts.leavingLinks.has(name))
      .map(({ name, alias }) => `link ${name} (${alias}) in the router of ${vpc.id} is of no record`),
  ];
}

/** rtm_type of rtnetlink(7). */
const unreachable = 7;

function hasRoute(
  { routes }: Pick<ObservedNamespace, "routes">,
  destination: string,
  link: number | undefined,
): boolean {
  return routes.some((route) => route.destination === destination && route.linkIndex === link);
}

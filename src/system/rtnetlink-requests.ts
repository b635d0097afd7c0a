import { SystemError } from "../common/errors.ts";
import { type IpAddress, ipToBytes, readIp } from "../common/ip-address.ts";
import type { RouteRequest } from "./kernel-command.ts";
import {
  attribute,
  attributeText,
  attributeU32,
  attributeU64,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  nested,
} from "./netlink-message.ts";
import type { NetlinkRequestBody } from "./netlink-socket.ts";

/** rtnetlink(7) requests as bytes. Numbers and structures are those of linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h. */

export const rtm = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  deleteNeighbour: 29,
  getNeighbour: 30,
  setNeighbourTable: 67,
} as const;

const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;
const IFF_UP = 1;
export const ifla = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  linkInfo: 18,
  alias: 20,
  group: 27,
  netnsFd: 28,
} as const;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTN_UNICAST = 1;
const RTN_UNREACHABLE = 7;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;
const NDTA_NAME = 1;
const NDTA_PARMS = 6;
const NDTPA_IFINDEX = 1;
const NDTPA_PROXY_DELAY = 13;

/** AF_INET or AF_INET6. */
function familyNumber(address: IpAddress): number {
  return address.family === 4 ? AF_INET : AF_INET6;
}

/** Asks for one link by name. */
export function getLinkRequest(name: string): NetlinkRequestBody {
  return { type: rtm.getLink, flags: 0, parts: [linkHeader(), attributeText(ifla.name, name)] };
}

export interface VethEnd {
  readonly name: string;
  readonly mac: string | undefined;
  readonly mtu: number;
}

/**
 * A veth pair whose second end is born in another namespace, so that it is never seen in this one.
 * @param peerNetnsFd descriptor of that namespace, or undefined for this one
 */
export function addVethRequest(first: VethEnd, peer: VethEnd, peerNetnsFd: number | undefined): NetlinkRequestBody {
  const inNamespace = peerNetnsFd === undefined ? [] : [attributeU32(ifla.netnsFd, peerNetnsFd)];
  const peerInfo = attribute(VETH_INFO_PEER, Buffer.concat([linkHeader(), ...endAttributes(peer), ...inNamespace]));
  return {
    type: rtm.newLink,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    parts: [
      linkHeader(),
      ...endAttributes(first),
      nested(ifla.linkInfo, attributeText(IFLA_INFO_KIND, "veth"), nested(IFLA_INFO_DATA, peerInfo)),
    ],
  };
}

export function addIfbRequest(name: string): NetlinkRequestBody {
  return {
    type: rtm.newLink,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    parts: [linkHeader(), attributeText(ifla.name, name), nested(ifla.linkInfo, attributeText(IFLA_INFO_KIND, "ifb"))],
  };
}

/** Changes what is given of a link named by its index or name. */
export function setLinkRequest(
  link: number | string,
  change: {
    readonly up?: boolean | undefined;
    readonly alias?: string | undefined;
    readonly group?: number | undefined;
  },
): NetlinkRequestBody {
  const header = linkHeader(typeof link === "number" ? link : 0, change.up);
  const parts: Buffer[] = [header];
  if (typeof link === "string") parts.push(attributeText(ifla.name, link));
  // The kernel takes the alias as counted text, without a NUL.
  if (change.alias !== undefined) parts.push(attribute(ifla.alias, Buffer.from(change.alias)));
  if (change.group !== undefined) parts.push(attributeU32(ifla.group, change.group));
  return { type: rtm.newLink, flags: 0, parts };
}

export function deleteLinkRequest(link: string): NetlinkRequestBody {
  return { type: rtm.deleteLink, flags: 0, parts: [linkHeader(), attributeText(ifla.name, link)] };
}

export function deleteGroupRequest(group: number): NetlinkRequestBody {
  return { type: rtm.deleteLink, flags: 0, parts: [linkHeader(), attributeU32(ifla.group, group)] };
}

/** An address that works at once: duplicate detection is off, for the allocator guarantees that it is unique. */
export function addAddressRequest(
  linkIndex: number,
  address: string,
  prefixLength: number,
  noPrefixRoute: boolean,
): NetlinkRequestBody {
  const ip = ipOf(address);
  const header = Buffer.alloc(8);
  header[0] = familyNumber(ip);
  header[1] = prefixLength;
  header.writeUInt32LE(linkIndex, 4);
  const flags = IFA_F_NODAD | (noPrefixRoute ? IFA_F_NOPREFIXROUTE : 0);
  const bytes = ipToBytes(ip);
  return {
    type: rtm.newAddress,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    parts: [header, attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes), attributeU32(IFA_FLAGS, flags)],
  };
}

/** Adds (replacing) or deletes a route of the main table. */
export function routeRequest(
  change: "add" | "delete",
  route: RouteRequest,
  linkIndex: number | undefined,
): NetlinkRequestBody {
  const [network = "", length = ""] = route.destination.split("/");
  const destination = ipOf(network);
  const header = Buffer.alloc(12);
  header[0] = familyNumber(destination);
  header[1] = Number(length);
  header[4] = RT_TABLE_MAIN;
  if (change === "add") {
    const onLink = destination.family === 4 && route.gateway === undefined && route.unreachable !== true;
    header[5] = RTPROT_STATIC;
    header[6] = onLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    header[7] = route.unreachable === true ? RTN_UNREACHABLE : RTN_UNICAST;
  } else {
    // "Any scope": a deletion that names another scope than the route's finds nothing.
    header[6] = RT_SCOPE_NOWHERE;
  }
  const parts: Buffer[] = [header];
  if (header[1] !== 0) parts.push(attribute(RTA_DST, ipToBytes(destination)));
  if (route.gateway !== undefined) parts.push(attribute(RTA_GATEWAY, ipToBytes(ipOf(route.gateway))));
  if (route.source !== undefined) parts.push(attribute(RTA_PREFSRC, ipToBytes(ipOf(route.source))));
  if (linkIndex !== undefined) parts.push(attributeU32(RTA_OIF, linkIndex));
  return change === "add"
    ? { type: rtm.newRoute, flags: NLM_F_CREATE | NLM_F_REPLACE, parts }
    : { type: rtm.deleteRoute, flags: 0, parts };
}

/** A neighbour nobody on the link can talk the kernel out of. */
export function addNeighbourRequest(linkIndex: number, address: string, mac: string): NetlinkRequestBody {
  const ip = ipOf(address);
  return {
    type: rtm.newNeighbour,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    parts: [
      neighbourHeader(ip, linkIndex, NUD_PERMANENT),
      attribute(NDA_DST, ipToBytes(ip)),
      attribute(NDA_LLADDR, macBytes(mac)),
    ],
  };
}

export function deleteNeighbourRequest(linkIndex: number, address: string): NetlinkRequestBody {
  const ip = ipOf(address);
  return {
    type: rtm.deleteNeighbour,
    flags: 0,
    parts: [neighbourHeader(ip, linkIndex, 0), attribute(NDA_DST, ipToBytes(ip))],
  };
}

/** Sets how long a link's proxy ARP waits; new links copy the host's default, not their namespace's. */
export function proxyDelayRequest(linkIndex: number, delayMs: number): NetlinkRequestBody {
  const header = Buffer.alloc(4);
  header[0] = AF_INET;
  return {
    type: rtm.setNeighbourTable,
    flags: NLM_F_REPLACE,
    parts: [
      header,
      attributeText(NDTA_NAME, "arp_cache"),
      nested(NDTA_PARMS, attributeU32(NDTPA_IFINDEX, linkIndex), attributeU64(NDTPA_PROXY_DELAY, BigInt(delayMs))),
    ],
  };
}

/** The fixed part of a dump request; with strict checking the kernel wants it whole and zero. */
export function dumpRequest(what: "link" | "address" | "route" | "neighbour"): NetlinkRequestBody {
  const [type, length] = (
    {
      link: [rtm.getLink, 16],
      address: [rtm.getAddress, 8],
      route: [rtm.getRoute, 12],
      neighbour: [rtm.getNeighbour, 12],
    } as const
  )[what];
  const header = Buffer.alloc(length);
  header[0] = AF_UNSPEC;
  return { type, flags: 0, parts: [header] };
}

/** "00:16:3e:01:02:03" as six bytes. @throws SystemError EINVAL */
export function macBytes(mac: string): Buffer {
  if (!/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac)) {
    throw new SystemError(`"${mac}" is no Ethernet address`, { errno: "EINVAL" });
  }
  return Buffer.from(mac.replaceAll(":", ""), "hex");
}

function endAttributes(end: VethEnd): readonly Buffer[] {
  const parts = [attributeText(ifla.name, end.name), attributeU32(ifla.mtu, end.mtu)];
  if (end.mac !== undefined) parts.push(attribute(ifla.address, macBytes(end.mac)));
  return parts;
}

/** struct ifinfomsg; flags and change mask only when the link goes up or down. */
function linkHeader(index = 0, up?: boolean): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (up !== undefined) {
    header.writeUInt32LE(up ? IFF_UP : 0, 8);
    header.writeUInt32LE(IFF_UP, 12);
  }
  return header;
}

/** struct ndmsg. */
function neighbourHeader(ip: IpAddress, linkIndex: number, state: number): Buffer {
  const header = Buffer.alloc(12);
  header[0] = familyNumber(ip);
  header.writeInt32LE(linkIndex, 4);
  header.writeUInt16LE(state, 8);
  return header;
}

function ipOf(text: string): IpAddress {
  const ip = readIp(text);
  if (ip === undefined) throw new SystemError(`"${text}" is no IP address`, { errno: "EINVAL" });
  return ip;
}

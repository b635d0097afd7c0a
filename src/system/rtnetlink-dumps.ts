import { formatIp, ipFromBytes } from "../common/ip-address.ts";
import type { AddressInfo, LinkInfo, NeighbourInfo, RouteInfo } from "./kernel-command.ts";
import { attributeString, type NetlinkMessage, parseAttributes } from "./netlink-message.ts";
import { ifla } from "./rtnetlink-requests.ts";

/** Reads rtnetlink(7) answers. Fields a kernel leaves out get the value that means "none". */

const IFF_UP = 1;
const IFLA_INFO_KIND = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_TENTATIVE = 0x40;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PREFSRC = 7;
const RTA_TABLE = 15;
const RTM_F_CLONED = 0x200;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;

/** Body: struct ifinfomsg (16 bytes), attributes. */
export function parseLink(message: NetlinkMessage): LinkInfo {
  const attributes = parseAttributes(message.body.subarray(16));
  const info = parseAttributes(attributes.get(ifla.linkInfo) ?? Buffer.alloc(0));
  return {
    index: message.body.readInt32LE(4),
    name: attributeString(attributes.get(ifla.name)),
    mac: formatMac(attributes.get(ifla.address)),
    mtu: attributes.get(ifla.mtu)?.readUInt32LE(0) ?? 0,
    up: (message.body.readUInt32LE(8) & IFF_UP) !== 0,
    alias: attributeString(attributes.get(ifla.alias)),
    group: attributes.get(ifla.group)?.readUInt32LE(0) ?? 0,
    type: attributeString(info.get(IFLA_INFO_KIND)),
    peerIndex: attributes.get(ifla.link)?.readUInt32LE(0) ?? 0,
  };
}

/** Body: struct ifaddrmsg (8 bytes), attributes. IFA_LOCAL is the address itself where a peer is set. */
export function parseAddress(message: NetlinkMessage): AddressInfo | undefined {
  const attributes = parseAttributes(message.body.subarray(8));
  const address = ipText(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS));
  if (address === undefined) return undefined;
  const flags = attributes.get(IFA_FLAGS)?.readUInt32LE(0) ?? message.body.readUInt8(2);
  return {
    linkIndex: message.body.readUInt32LE(4),
    address,
    prefixLength: message.body.readUInt8(1),
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
  };
}

/** Body: struct rtmsg (12 bytes), attributes. Entries that only cache another route are left out. */
export function parseRoute(message: NetlinkMessage): RouteInfo | undefined {
  const family = message.body.readUInt8(0);
  if (family !== AF_INET && family !== AF_INET6) return undefined;
  if ((message.body.readUInt32LE(8) & RTM_F_CLONED) !== 0) return undefined;
  const attributes = parseAttributes(message.body.subarray(12));
  const network = ipText(attributes.get(RTA_DST)) ?? (family === AF_INET ? "0.0.0.0" : "::");
  return {
    destination: `${network}/${message.body.readUInt8(1)}`,
    table: attributes.get(RTA_TABLE)?.readUInt32LE(0) ?? message.body.readUInt8(4),
    type: message.body.readUInt8(7),
    linkIndex: attributes.get(RTA_OIF)?.readUInt32LE(0),
    gateway: ipText(attributes.get(RTA_GATEWAY)),
    source: ipText(attributes.get(RTA_PREFSRC)),
  };
}

/** Body: struct ndmsg (12 bytes), attributes. */
export function parseNeighbour(message: NetlinkMessage): NeighbourInfo | undefined {
  const attributes = parseAttributes(message.body.subarray(12));
  const address = ipText(attributes.get(NDA_DST));
  if (address === undefined) return undefined;
  return {
    linkIndex: message.body.readInt32LE(4),
    address,
    mac: formatMac(attributes.get(NDA_LLADDR)),
    permanent: (message.body.readUInt16LE(8) & NUD_PERMANENT) !== 0,
  };
}

function ipText(bytes: Buffer | undefined): string | undefined {
  const ip = bytes === undefined ? undefined : ipFromBytes(bytes);
  return ip === undefined ? undefined : formatIp(ip);
}

function formatMac(bytes: Buffer | undefined): string {
  return bytes === undefined ? "" : (bytes.toString("hex").match(/../g) ?? []).join(":");
}

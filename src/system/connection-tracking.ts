import { errnoOf } from "../common/errors.ts";
import { ipToBytes, readIp } from "../common/ip-address.ts";
import { attribute, type NetlinkMessage, NLA_F_NESTED, parseAttributes } from "./netlink-message.ts";
import type { NetlinkSocket } from "./netlink-socket.ts";

/** ctnetlink: linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h. */
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_GET = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_ID = 12;
const CTA_ZONE = 18;
const CTA_TUPLE_IP = 1;
/** CTA_IP_V4_SRC, V4_DST, V6_SRC, V6_DST. */
const ipAttributes = [1, 2, 3, 4];

/**
 * Deletes every tracked connection in which one of the addresses takes part, in either direction, before or after
 * translation. A new owner of the address then starts without the old one's open doors.
 * @param socket of the netfilter family, opened in the namespace in question
 * @returns how many entries went
 * @throws SystemError
 */
export function forgetConnections(socket: NetlinkSocket, addresses: readonly string[]): number {
  const wanted = addresses.flatMap((text) => {
    const ip = readIp(text);
    return ip === undefined ? [] : [ipToBytes(ip)];
  });
  const entries = socket.dump("list tracked connections", {
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
    flags: 0,
    parts: [Buffer.alloc(4)],
  });
  let forgotten = 0;
  for (const entry of entries) {
    if (concerns(entry, wanted) && forget(socket, entry)) forgotten++;
  }
  return forgotten;
}

/** Body: struct nfgenmsg (4 bytes), attributes. */
function concerns(entry: NetlinkMessage, wanted: readonly Buffer[]): boolean {
  const attributes = parseAttributes(entry.body.subarray(4));
  return [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY].some((tuple) => {
    const ip = parseAttributes(
      parseAttributes(attributes.get(tuple) ?? Buffer.alloc(0)).get(CTA_TUPLE_IP) ?? Buffer.alloc(0),
    );
    return ipAttributes.some((type) => {
      const bytes = ip.get(type);
      return bytes !== undefined && wanted.some((address) => address.equals(bytes));
    });
  });
}

/** @returns false when the entry ended by itself meanwhile */
function forget(socket: NetlinkSocket, entry: NetlinkMessage): boolean {
  const attributes = parseAttributes(entry.body.subarray(4));
  const parts: Buffer[] = [Buffer.from(entry.body.subarray(0, 4))];
  // The id keeps a new connection of the same five values from being deleted in the old one's place.
  for (const type of [CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID]) {
    const value = attributes.get(type);
    if (value !== undefined) parts.push(attribute(type === CTA_TUPLE_ORIG ? type | NLA_F_NESTED : type, value));
  }
  try {
    socket.change("forget a tracked connection", {
      type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
      flags: 0,
      parts,
    });
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

import { type LookupAddress, type LookupOptions, lookup } from "node:dns";
import { BlockList, isIP } from "node:net";
import { SystemError } from "../common/errors.ts";

/**
 * Which addresses a connection may go to.
 * `registry`: the host the user or hosts.toml named. `elsewhere`: a host that a registry named (token realm, redirect), which
 * must not aim the agent at services of its own machine.
 */
export type AddressRule = "registry" | "elsewhere";

const never = new BlockList();
// Link-local holds the clouds' metadata services; the two others are Alibaba Cloud's and AWS's metadata addresses.
never.addSubnet("169.254.0.0", 16, "ipv4");
never.addSubnet("fe80::", 10, "ipv6");
never.addAddress("100.100.100.200", "ipv4");
never.addAddress("fd00:ec2::254", "ipv6");

const own = new BlockList();
own.addSubnet("127.0.0.0", 8, "ipv4");
own.addSubnet("0.0.0.0", 8, "ipv4");
own.addAddress("::1", "ipv6");
own.addAddress("::", "ipv6");

/** Whether the address (IPv4-mapped IPv6 included) is closed to a connection under the rule. */
export function isBlockedAddress(address: string, rule: AddressRule): boolean {
  return matches(never, address) || (rule === "elsewhere" && matches(own, address));
}

/** Whether a URL's host names this machine itself: `localhost`, 127.0.0.0/8 or ::1. */
export function isLoopbackHost(hostname: string): boolean {
  const host = bareHost(hostname);
  if (host === "localhost" || host.endsWith(".localhost")) return true;
  return isIP(host) !== 0 && matches(own, host);
}

/** A URL's hostname without the brackets of an IPv6 literal and without a final dot. */
export function bareHost(hostname: string): string {
  return hostname
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
}

/**
 * A `lookup` for sockets that refuses blocked addresses at the moment of connecting, so that a name which resolves
 * differently the second time gains nothing.
 */
export function guardedLookup(rule: AddressRule) {
  return (
    hostname: string,
    options: LookupOptions,
    callback: (error: Error | null, address: string | LookupAddress[], family?: number) => void,
  ): void => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const open = addresses.filter(({ address }) => !isBlockedAddress(address, rule));
      const first = open[0];
      if (first === undefined) return callback(blockedAddressError(hostname), []);
      if (options.all === true) callback(null, open);
      else callback(null, first.address, first.family);
    });
  };
}

export function blockedAddressError(hostname: string): SystemError {
  return new SystemError(
    `Connecting to "${hostname}" is refused: it is a metadata, link-local or loopback address that images must not be fetched from`,
    { errno: "EACCES" },
  );
}

function matches(list: BlockList, address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  return list.check(address, family === 6 ? "ipv6" : "ipv4");
}

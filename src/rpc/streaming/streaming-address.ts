import { isIPv4, isIPv6 } from "node:net";
import type { NetworkInterfaceInfo } from "node:os";
import { isLoopbackHost, splitHostPort } from "../../common/loopback.ts";

export interface StreamingAddress {
  /** As listen() takes it: without brackets; undefined: every address. */
  readonly bindHost: string | undefined;
  readonly port: number;
  /** As URLs have it. */
  readonly urlHost: string;
  /** Whether only this machine's processes get there. */
  readonly loopback: boolean;
}

/**
 * Where to listen, and what clients are told. A wildcard tells them the host's first address of its family.
 * @param address "host:port", checked before
 * @param interfaces as os.networkInterfaces() has them
 */
export function planStreamingAddress(
  address: string,
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>,
): StreamingAddress {
  const { host, port } = splitHostPort(address) ?? { host: "", port: 0 };
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (bare !== "" && bare !== "0.0.0.0" && bare !== "::") {
    return { bindHost: bare, port, urlHost: bracketed(bare), loopback: isLoopbackHost(host) };
  }
  const family = bare === "::" ? "IPv6" : "IPv4";
  const usable = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter((each) => !each.internal && !each.address.startsWith("fe80:"));
  const own = usable.find((each) => each.family === family) ?? usable[0];
  return {
    bindHost: bare === "" ? undefined : bare,
    port,
    urlHost: bracketed(own?.address ?? (family === "IPv6" ? "::1" : "127.0.0.1")),
    loopback: false,
  };
}

/**
 * Whether a request may have come from somebody who meant this server. A page that a browser on this machine shows can
 * send requests to loopback addresses, under a name of its own that leads there: the Host header gives it away.
 */
export function isHostAllowed(address: StreamingAddress, hostHeader: string | undefined): boolean {
  if (!address.loopback) return true;
  const host = splitHostPort(hostHeader ?? "")?.host;
  return host !== undefined && isLoopbackHost(host);
}

function bracketed(host: string): string {
  return isIPv6(host) && !isIPv4(host) ? `[${host}]` : host;
}

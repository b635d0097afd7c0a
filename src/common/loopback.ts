import { readIp } from "./ip-address.ts";

/** Whether a host, as in "host:port" without the port, can only mean this machine: localhost, 127.0.0.0/8, ::1. */
export function isLoopbackHost(host: string): boolean {
  if (host.toLowerCase() === "localhost") return true;
  const address = readIp(host.replace(/^\[(.*)\]$/, "$1"));
  if (address === undefined) return false;
  return address.family === 4 ? address.value >> 24n === 127n : address.value === 1n;
}

/**
 * Takes "host:port" apart; IPv6 hosts are in brackets, which are kept.
 * @returns undefined for anything else; port 0 when there is none
 */
export function splitHostPort(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(\[[0-9A-Fa-f:.%]+\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const port = Number(match[2] ?? "0");
  return port > 65_535 ? undefined : { host: match[1] ?? "", port };
}

import { output } from "./command.ts";

/** A private network: its first two IPv4 octets, such as "10.60", and three IPv6 groups, such as "fd00:de:60". */
export interface FreeNetwork {
  readonly ipv4: string;
  readonly ipv6: string;
}

/**
 * A 10.x.0.0/16 and an fd00::/8 network that no route of this machine mentions.
 * @param first the lowest x to try
 * @param end the x after the last
 */
export async function freeNetwork(first: number, end: number): Promise<FreeNetwork> {
  const routes = await output(["ip", "-4", "route", "show", "table", "all"]);
  const routes6 = await output(["ip", "-6", "route", "show", "table", "all"]);
  for (let block = first; block < end; block++) {
    const found = { ipv4: `10.${block}`, ipv6: `fd00:de:${block}` };
    if (!routes.includes(`${found.ipv4}.`) && !routes6.includes(`${found.ipv6}:`)) return found;
  }
  throw new Error(`No network between 10.${first}.0.0/16 and 10.${end - 1}.0.0/16 is free on this machine`);
}

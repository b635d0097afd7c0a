import { z } from "zod";
import { AgentError } from "../../common/errors.ts";
import { formatIp, readIp } from "../../common/ip-address.ts";
import type { PodInterface } from "../pod-network.ts";
import { type CniVersion, cniVersions, hasSince } from "./cni-version.ts";

/** What an ADD gave, in the newest form; fields that nobody here reads are kept as they came. */
export type CniResult = z.output<typeof resultSchema>;

const count = z.int("must be a whole number").min(0, "must be 0 or more");
const listOf = <Item extends z.ZodType>(item: Item) =>
  z
    .array(item, "must be an array")
    .nullish()
    .transform((items) => items ?? []);
const address = z
  .string("must be an address with its prefix length")
  .regex(/^[0-9A-Fa-f:.]+\/\d{1,3}$/, "must be an address with its prefix length")
  .refine((text) => readIp(hostPart(text)) !== undefined, "must be an address with its prefix length");

const resultSchema = z.looseObject(
  {
    interfaces: listOf(
      z.looseObject({
        name: z.string("must be text"),
        mac: z.string("must be text").default(""),
        sandbox: z.string("must be text").default(""),
      }),
    ),
    ips: listOf(z.looseObject({ address, gateway: z.string("must be text").default(""), interface: count.optional() })),
    routes: listOf(z.looseObject({ dst: z.string("must be text") })),
  },
  "must be an object",
);

/** Fields that CNI 1.1 brought. */
const newFields = {
  interfaces: ["mtu", "socketPath", "pciID"],
  routes: ["mtu", "advmss", "priority", "table", "scope"],
} as const;

/**
 * Reads what a plugin printed.
 * @param version of the request, which a result that names none is in
 * @throws AgentError Unavailable naming the plugin and the field
 */
export function readPluginResult(type: string, output: string, version: CniVersion): CniResult {
  const refuse = (problem: string, cause?: unknown) =>
    new AgentError("Unavailable", `CNI plugin "${type}" gave a result that can't be used: ${problem}`, { cause });
  let document: unknown;
  try {
    document = JSON.parse(output);
  } catch (cause) {
    throw refuse("it must be JSON", cause);
  }
  const read = resultSchema.safeParse(document);
  if (!read.success) {
    throw refuse(read.error.issues.map(({ path, message }) => `${path.join(".")} ${message}`.trim()).join("; "));
  }
  const { cniVersion = version, ...result } = read.data;
  if (!cniVersions.some((known) => known === cniVersion)) {
    throw refuse(`cniVersion must be one of ${cniVersions.join(", ")}: ${JSON.stringify(cniVersion)}`);
  }
  const bad = result.ips.find((ip) => ip.interface !== undefined && ip.interface >= result.interfaces.length);
  if (bad !== undefined) throw refuse(`ips: "${bad.address}" is of an interface that is not in it`);
  return { ...result, ips: result.ips.map(({ version: _family, ...ip }) => ip) };
}

/** A result as plugins of a version know it: what a request hands on as `prevResult`. */
export function writePluginResult({ interfaces, ips, routes, ...rest }: CniResult, version: CniVersion): object {
  const known = <Item extends object>(items: readonly Item[], since11: readonly string[]) =>
    hasSince(version, "1.1.0")
      ? items
      : items.map((item) => Object.fromEntries(Object.entries(item).filter(([key]) => !since11.includes(key))));
  return {
    ...rest,
    cniVersion: version,
    interfaces: known(interfaces.map(withoutEmpty), newFields.interfaces),
    ips: ips.map((ip) => ({
      ...withoutEmpty(ip),
      // Dropped by 1.0 as the address tells it.
      ...(!hasSince(version, "1.0.0") && { version: ip.address.includes(":") ? "6" : "4" }),
    })),
    routes: known(routes, newFields.routes),
  };
}

/**
 * What of a result a pod's own interface is.
 * @throws AgentError Unavailable when it has no address
 */
export function podInterfaceOf(network: string, interfaceName: string, result: CniResult): PodInterface {
  const inPod = (index: number) => {
    const found = result.interfaces[index];
    return found !== undefined && found.name === interfaceName && found.sandbox !== "";
  };
  // Plugins that name no interfaces have one address for the one they were asked for.
  const own = result.ips.filter((ip) => ip.interface === undefined || inPod(ip.interface));
  const addresses = own.map((ip) => readIp(hostPart(ip.address))).filter((ip) => ip !== undefined);
  const [ipv4, ipv6] = [4, 6].map((family) => {
    const first = addresses.find((ip) => ip.family === family);
    return first && formatIp(first);
  });
  if (ipv4 === undefined && ipv6 === undefined) {
    throw new AgentError("Unavailable", `CNI network "${network}" gave "${interfaceName}" no address`);
  }
  return {
    interfaceName,
    mac: result.interfaces.find((_, index) => inPod(index))?.mac ?? "",
    ipv4,
    ipv6,
    moreAddresses: addresses.map(formatIp).filter((text) => text !== ipv4 && text !== ipv6),
  };
}

function hostPart(address: string): string {
  return address.split("/")[0] ?? "";
}

function withoutEmpty<Item extends object>(item: Item): object {
  return Object.fromEntries(Object.entries(item).filter(([, value]) => value !== ""));
}

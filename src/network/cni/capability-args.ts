import { AgentError } from "../../common/errors.ts";
import { formatIp, readIp } from "../../common/ip-address.ts";
import type { AttachRequest } from "../network-provider.ts";
import { fixedIpAnnotation, privateIpAnnotation } from "../plan-address-wishes.ts";
import { securityGroupAnnotation } from "../plan-group-choice.ts";
import { eipAnnotation, ipv6SwitchAnnotation, withEipAnnotation } from "../plan-internet.ts";
import { ipv6Annotation, vswitchAnnotation } from "../plan-vswitch-choice.ts";
import { egressBandwidthAnnotation, ingressBandwidthAnnotation, readPodBandwidth } from "../pod-bandwidth.ts";
import type { PodInterface } from "../pod-network.ts";
import type { CniNetwork } from "./network-list.ts";

export const addressesAnnotation = "podling.dev/ip-addresses";
export const macAnnotation = "podling.dev/mac-address";

/** Values for `runtimeConfig`, by the capability that takes them; plain data, stored with the attachment. */
export type CapabilityArgs = Readonly<Record<string, unknown>>;

/** What asks for a network that is not a CNI plugin's to give: the pod would run without what its owner relies on. */
const cloudAnnotations = [
  vswitchAnnotation,
  securityGroupAnnotation,
  fixedIpAnnotation,
  withEipAnnotation,
  eipAnnotation,
  ipv6SwitchAnnotation,
] as const;

/** How much of a limit may come at once: a tenth of a second, and no less than what the kernel hands over in one piece. */
const burstSeconds = 0.1;
const leastBurstBits = 8 * 128 * 1024;
/** tbf keeps it as bytes in 32 bits. */
const mostBurstBits = 2 ** 32 - 8;

/** A wish of the pod; `required` says whose it is where the pod must not run without. */
interface Wish {
  readonly capability: string;
  readonly value: unknown;
  readonly required?: string;
}

/**
 * What a pod asks for that plugins declare to take.
 * @throws AgentError InvalidArgument for an annotation that can't be, FailedPrecondition for a wish that no plugin takes
 */
export function planCapabilityArgs(
  request: AttachRequest,
  network: Pick<CniNetwork, "name" | "plugins">,
): CapabilityArgs {
  const taken = new Set(network.plugins.flatMap(({ capabilities }) => capabilities));
  const wishes = readWishes(request);
  const missed = wishes.find(({ capability, required }) => required !== undefined && !taken.has(capability));
  if (missed !== undefined) {
    throw new AgentError(
      "FailedPrecondition",
      `Cannot give a pod ${missed.required}: no plugin of CNI network "${network.name}" declares the capability "${missed.capability}"`,
    );
  }
  return Object.fromEntries(
    wishes.filter(({ capability }) => taken.has(capability)).map(({ capability, value }) => [capability, value]),
  );
}

/**
 * Whether a pod got the addresses that it asked for; a plugin may take a wish and not grant it.
 * @throws AgentError FailedPrecondition naming what is missing
 */
export function checkGivenAddresses(
  annotations: AttachRequest["annotations"],
  network: string,
  given: PodInterface,
): void {
  const all = [given.ipv4, given.ipv6, ...(given.moreAddresses ?? [])].filter((address) => address !== undefined);
  const missed = readAddresses(annotations).find((address) => !all.includes(address));
  const wants = annotations[ipv6Annotation] === "true" && given.ipv6 === undefined ? "an IPv6 address" : missed;
  if (wants === undefined) return;
  throw new AgentError("FailedPrecondition", `CNI network "${network}" gave a pod ${all.join(", ")}, and not ${wants}`);
}

function readWishes({ annotations, dns, hostPorts = [] }: AttachRequest): readonly Wish[] {
  refuseCloudAnnotations(annotations);
  const bandwidth = readBandwidth(annotations);
  const addresses = readAddresses(annotations);
  const mac = readMac(annotations[macAnnotation]);
  const wishes: readonly (Wish | false)[] = [
    hostPorts.length > 0 && {
      capability: "portMappings",
      value: hostPorts.map(({ hostIp, ...port }) => ({ ...port, ...(hostIp !== "" && { hostIP: hostIp }) })),
      required: "host ports",
    },
    bandwidth !== undefined && {
      capability: "bandwidth",
      value: bandwidth,
      required: `the bandwidth of its annotations ${ingressBandwidthAnnotation} and ${egressBandwidthAnnotation}`,
    },
    addresses.length > 0 && { capability: "ips", value: addresses, required: "the addresses of its annotation" },
    mac !== undefined && { capability: "mac", value: mac, required: `the MAC of its annotation ${macAnnotation}` },
    dns !== undefined && { capability: "dns", value: dns },
    { capability: "io.kubernetes.cri.pod-annotations", value: annotations },
  ];
  return wishes.filter((wish) => wish !== false);
}

function refuseCloudAnnotations(annotations: AttachRequest["annotations"]): void {
  const asked = cloudAnnotations.find((name) => !["", "false"].includes(annotations[name] ?? ""));
  if (asked === undefined) return;
  throw new AgentError(
    "InvalidArgument",
    `Invalid annotation ${asked} ${JSON.stringify(annotations[asked]?.slice(0, 200))}: must be left out, as network.provider "cni" can't give what it asks for`,
  );
}

function readBandwidth(annotations: AttachRequest["annotations"]): object | undefined {
  const { ingressBitsPerSecond: ingress, egressBitsPerSecond: egress } = readPodBandwidth(annotations);
  if (ingress === undefined && egress === undefined) return undefined;
  return {
    ...(ingress !== undefined && { ingressRate: ingress, ingressBurst: burstOf(ingress) }),
    ...(egress !== undefined && { egressRate: egress, egressBurst: burstOf(egress) }),
  };
}

/** Whole bytes, in bits. */
function burstOf(rate: number): number {
  const bits = Math.min(Math.max(rate * burstSeconds, leastBurstBits), mostBurstBits);
  return Math.floor(bits / 8) * 8;
}

function readAddresses(annotations: AttachRequest["annotations"]): readonly string[] {
  const [one = "", several = ""] = [annotations[privateIpAnnotation], annotations[addressesAnnotation]];
  if (one !== "" && several !== "") {
    throw invalid(addressesAnnotation, several, `left out where ${privateIpAnnotation} is given`);
  }
  if (one !== "") {
    const address = readIp(one.trim());
    if (address?.family !== 4) throw invalid(privateIpAnnotation, one, "one IPv4 address");
    return [formatIp(address)];
  }
  if (several === "") return [];
  const texts = several.split(",").map((text) => text.trim());
  const addresses = texts.map(readIp).filter((address) => address !== undefined);
  if (addresses.length < texts.length || addresses.length > 8) {
    throw invalid(addressesAnnotation, several, "1 to 8 IP addresses with commas between them");
  }
  return addresses.map(formatIp);
}

function readMac(value = ""): string | undefined {
  if (value === "") return undefined;
  const mac = value.trim().toLowerCase();
  // The lowest bit of the first byte marks addresses of groups.
  if (/^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/.test(mac) && mac !== "00:00:00:00:00:00") return mac;
  throw invalid(macAnnotation, value, 'one MAC address such as "02:00:5e:10:00:01"');
}

function invalid(annotation: string, value: string, want: string): AgentError {
  return new AgentError(
    "InvalidArgument",
    `Invalid annotation ${annotation} ${JSON.stringify(value.slice(0, 200))}: must be ${want}`,
  );
}

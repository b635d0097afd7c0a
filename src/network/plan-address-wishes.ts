import { AgentError } from "../common/errors.ts";
import { formatIp, readIp } from "../common/ip-address.ts";
import type { VswitchChoice } from "./plan-vswitch-choice.ts";

export const privateIpAnnotation = "k8s.aliyun.com/eci-private-ip-address";
export const fixedIpAnnotation = "k8s.aliyun.com/eci-fixed-ip";
export const retainAnnotation = "k8s.aliyun.com/eci-fixed-ip-retain-hour";

const hourMs = 3_600_000;
const defaultRetainHours = 48;
const maxRetainHours = 8760;

/** Whose address stays the same: the next pod of this name gets it again while it is held. */
export interface FixedIp {
  /** Cluster, namespace and pod name, as one text that no other pod has. */
  readonly key: string;
  /** How long the address is held for the next pod after this one's end. */
  readonly retainMs: number;
}

/** Which addresses a pod is to get. */
export interface AddressWishes {
  /** Exactly this one, in canonical form. */
  readonly ipv4: string | undefined;
  readonly ipv6: VswitchChoice["ipv6"];
  readonly fixed: FixedIp | undefined;
}

export interface WishingPod {
  readonly clusterId: string;
  readonly namespace: string;
  readonly name: string;
}

/** @throws AgentError InvalidArgument naming the annotation */
export function planAddressWishes(
  pod: WishingPod,
  annotations: Readonly<Record<string, string>>,
  ipv6: VswitchChoice["ipv6"],
): AddressWishes {
  return { ipv4: readPrivateIp(annotations[privateIpAnnotation]), ipv6, fixed: readFixed(pod, annotations) };
}

function readPrivateIp(value = ""): string | undefined {
  if (value === "") return undefined;
  const address = readIp(value.trim());
  if (address?.family !== 4) throw invalid(privateIpAnnotation, value, "one IPv4 address");
  return formatIp(address);
}

function readFixed(pod: WishingPod, annotations: Readonly<Record<string, string>>): FixedIp | undefined {
  const asked = annotations[fixedIpAnnotation] ?? "";
  if (!["", "true", "false"].includes(asked)) throw invalid(fixedIpAnnotation, asked, '"true" or "false"');
  const hours = readHours(annotations[retainAnnotation]);
  if (asked !== "true") return undefined;
  return { key: JSON.stringify([pod.clusterId, pod.namespace, pod.name]), retainMs: hours * hourMs };
}

function readHours(value = ""): number {
  if (value === "") return defaultRetainHours;
  const hours = /^[1-9][0-9]{0,3}$/.test(value) ? Number(value) : 0;
  if (hours < 1 || hours > maxRetainHours) {
    throw invalid(retainAnnotation, value, `a whole number of hours, 1 to ${maxRetainHours}`);
  }
  return hours;
}

function invalid(annotation: string, value: string, want: string): AgentError {
  return new AgentError(
    "InvalidArgument",
    `Invalid annotation ${annotation} ${JSON.stringify(value.slice(0, 200))}: must be ${want}`,
  );
}

import { isIP } from "node:net";
import { formatIp, readIp } from "../common/ip-address.ts";
import type { PortMapping__Output } from "../generated/runtime/v1/PortMapping.ts";
import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { checkInteger } from "./field-checks.ts";
import { invalid } from "./field-error.ts";
import { admit, type Profile } from "./profile-policy.ts";

type HostPort = SandboxSpec["hostPorts"][number];

const protocols = { TCP: "tcp", UDP: "udp", SCTP: "sctp" } as const;

/**
 * The ports of the host a pod asks for. Mappings without one only tell what the pod listens on.
 * @throws AgentError InvalidArgument
 */
export function decodeHostPorts(
  profile: Profile,
  field: string,
  mappings: readonly PortMapping__Output[],
): readonly HostPort[] {
  const places = new Map<string, number>();
  return mappings.flatMap((mapping, index) => {
    const port = decodeHostPort(profile, `${field}[${index}]`, mapping);
    if (port === undefined) return [];
    const key = `${port.protocol} ${port.hostPort} ${port.hostIp}`;
    const other = places.get(key);
    if (other !== undefined) {
      throw invalid(`${field}[${index}].host_port`, port.hostPort, `${field}[${other}] has it already`);
    }
    places.set(key, index);
    return [port];
  });
}

function decodeHostPort(profile: Profile, field: string, mapping: PortMapping__Output): HostPort | undefined {
  const containerPort = checkInteger(`${field}.container_port`, mapping.container_port, 0, 65535);
  const hostPort = checkInteger(`${field}.host_port`, mapping.host_port, 0, 65535);
  if (hostPort === 0) return undefined;
  admit(profile, "hostPort", `${field}.host_port`, hostPort);
  if (containerPort === 0) throw invalid(`${field}.container_port`, 0, "must be from 1 to 65535 beside a host_port");
  const protocol = protocols[mapping.protocol];
  if (protocol === undefined) throw invalid(`${field}.protocol`, mapping.protocol, "must be TCP, UDP or SCTP");
  return { protocol, hostPort, containerPort, hostIp: decodeHostIp(`${field}.host_ip`, mapping.host_ip) };
}

/** In one spelling, so that equal addresses are equal texts. */
function decodeHostIp(field: string, text: string): string {
  if (text === "") return "";
  const ip = isIP(text) === 0 ? undefined : readIp(text);
  if (ip === undefined) throw invalid(field, text, "must be an IPv4 or IPv6 address, or empty for all of the host's");
  const address = formatIp(ip);
  if (address === "::1") throw invalid(field, text, "must not be ::1, whose connections Linux keeps on the host");
  return address;
}

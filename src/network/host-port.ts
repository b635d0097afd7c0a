import { AgentError } from "../common/errors.ts";

/** A port of the host that leads to one of a pod. */
export interface HostPort {
  readonly protocol: "tcp" | "udp" | "sctp";
  /** 1 to 65535, both. */
  readonly hostPort: number;
  readonly containerPort: number;
  /** Only this address of the host; "0.0.0.0" and "::": all of one family; "": all. */
  readonly hostIp: string;
}

/** A pod that has host ports. */
export interface HostPortHolder {
  readonly sandboxId: string;
  readonly namespace: string;
  readonly name: string;
  readonly hostPorts?: readonly HostPort[];
}

/**
 * Checks that nobody else has what a pod asks for. Ports of different addresses or protocols don't meet.
 * @throws AgentError FailedPrecondition naming the holder
 */
export function checkHostPorts(wanted: readonly HostPort[], holders: readonly HostPortHolder[]): void {
  for (const port of wanted) {
    for (const { sandboxId, namespace, name, hostPorts = [] } of holders) {
      const taken = hostPorts.find((held) => meet(port, held));
      if (taken === undefined) continue;
      throw new AgentError(
        "FailedPrecondition",
        `Cannot give host port ${describe(port)}: pod "${namespace}/${name}" (sandbox "${sandboxId}") has ${describe(taken)}`,
      );
    }
  }
}

/** Which family a host port's address leaves it to: 4, 6, or both. */
export function familiesOf({ hostIp }: HostPort): readonly (4 | 6)[] {
  if (hostIp === "") return [4, 6];
  return hostIp.includes(":") ? [6] : [4];
}

/** Whether it holds for every address of its families. */
export function isWildcard({ hostIp }: HostPort): boolean {
  return hostIp === "" || hostIp === "0.0.0.0" || hostIp === "::";
}

function meet(left: HostPort, right: HostPort): boolean {
  if (left.protocol !== right.protocol || left.hostPort !== right.hostPort) return false;
  if (!isWildcard(left) && !isWildcard(right)) return left.hostIp === right.hostIp;
  return familiesOf(left).some((family) => familiesOf(right).includes(family));
}

function describe({ protocol, hostPort, hostIp }: HostPort): string {
  const address = hostIp.includes(":") ? `[${hostIp}]` : hostIp;
  return `${address === "" ? "" : `${address}:`}${hostPort}/${protocol}`;
}

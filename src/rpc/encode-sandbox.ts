import type { NamespaceMode } from "../generated/runtime/v1/NamespaceMode.ts";
import type { PodSandbox } from "../generated/runtime/v1/PodSandbox.ts";
import type { PodSandboxNetworkStatus } from "../generated/runtime/v1/PodSandboxNetworkStatus.ts";
import type { PodSandboxStatus } from "../generated/runtime/v1/PodSandboxStatus.ts";
import type { UserNamespace } from "../generated/runtime/v1/UserNamespace.ts";
import { shownSandboxState } from "../sandbox/record-filter.ts";
import type { SandboxRecord } from "../sandbox/sandbox-record.ts";
import { encodeTimestamp } from "./timestamps.ts";

const states = { ready: "SANDBOX_READY", notReady: "SANDBOX_NOTREADY" } as const;
const modes = { pod: "POD", container: "CONTAINER", node: "NODE" } as const satisfies Record<string, NamespaceMode>;

/** A sandbox in a list; what lists and statuses share. */
export function encodeSandbox(record: SandboxRecord) {
  const { spec } = record;
  return {
    id: record.id,
    metadata: spec.metadata,
    state: states[shownSandboxState(record)],
    created_at: encodeTimestamp(record.createdAtMs),
    labels: spec.labels,
    annotations: spec.annotations,
    // As asked for, so that a caller finds what it sent: empty stays empty.
    runtime_handler: spec.runtimeHandler,
  } satisfies PodSandbox;
}

/** A sandbox's status. */
export function encodeSandboxStatus(record: SandboxRecord): PodSandboxStatus {
  const { network, ipc, pid, user } = record.spec.namespaces;
  const options = {
    network: modes[network],
    ipc: modes[ipc],
    pid: modes[pid],
    ...(user !== undefined && { userns_options: encodeUserNamespace(user) }),
  };
  return { ...encodeSandbox(record), network: encodeNetwork(record), linux: { namespaces: { options } } };
}

function encodeUserNamespace({ uids, gids }: NonNullable<SandboxRecord["spec"]["namespaces"]["user"]>): UserNamespace {
  const one = (range: typeof uids) => [
    { host_id: range.hostId, container_id: range.containerId, length: range.length },
  ];
  return { mode: "POD", uids: one(uids), gids: one(gids) };
}

/** The IPv4 address first. No network, no addresses. */
function encodeNetwork({ network }: SandboxRecord): PodSandboxNetworkStatus {
  if (network === undefined) return { ip: "" };
  const all = [network.ipv4, network.ipv6, ...(network.moreAddresses ?? [])];
  const [ip = "", ...others] = all.filter((address) => address !== undefined);
  return { ip, additional_ips: others.map((other) => ({ ip: other })) };
}

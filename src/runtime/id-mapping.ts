import type { OciIdMapping } from "./oci-spec.ts";

/** A range of ids inside a user namespace, and the host's ids they are. */
export interface IdRange {
  readonly containerId: number;
  readonly hostId: number;
  readonly length: number;
}

/** Whose ids a pod's users and groups are: one range of each, in which root is. */
export interface UserMapping {
  readonly uids: IdRange;
  readonly gids: IdRange;
}

/** The host's id of the root inside. */
export function hostRoot({ containerId, hostId }: IdRange): number {
  return hostId - containerId;
}

/** As a line of /proc/PID/uid_map, user_namespaces(7). */
export function mapLine({ containerId, hostId, length }: IdRange): string {
  return `${containerId} ${hostId} ${length}\n`;
}

/** The mappings in the words of the OCI runtime spec. */
export function ociMappings({ uids, gids }: UserMapping): {
  readonly uidMappings: readonly OciIdMapping[];
  readonly gidMappings: readonly OciIdMapping[];
} {
  const one = ({ containerId, hostId, length }: IdRange) => [
    { containerID: containerId, hostID: hostId, size: length },
  ];
  return { uidMappings: one(uids), gidMappings: one(gids) };
}

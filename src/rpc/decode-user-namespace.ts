import type { IDMapping__Output } from "../generated/runtime/v1/IDMapping.ts";
import type { UserNamespace__Output } from "../generated/runtime/v1/UserNamespace.ts";
import type { SandboxSpec } from "../sandbox/sandbox-spec.ts";
import { invalid } from "./field-error.ts";

type UserMapping = NonNullable<SandboxSpec["namespaces"]["user"]>;

/** Ids are 32 bits; the last one means "no id". */
const idLimit = 2 ** 32 - 1;

/**
 * The user namespace of a pod or container; an absent message is NODE. The zero mode is POD, so a message that is there
 * but empty asks for one.
 * @returns undefined for the host's
 * @throws AgentError InvalidArgument
 */
export function decodeUserNamespace(field: string, options: UserNamespace__Output | null): UserMapping | undefined {
  if (options === null) return undefined;
  switch (options.mode) {
    case "NODE":
      if (options.uids.length + options.gids.length === 0) return undefined;
      throw invalid(`${field}.uids`, options.uids.length, "must be empty, as gids, when the mode is NODE");
    case "POD":
      return { uids: decodeIdRange(`${field}.uids`, options.uids), gids: decodeIdRange(`${field}.gids`, options.gids) };
    default:
      throw invalid(`${field}.mode`, options.mode, "must be POD or NODE");
  }
}

/** The one range that can be mapped. @throws AgentError InvalidArgument */
export function decodeIdRange(field: string, mappings: readonly IDMapping__Output[]): UserMapping["uids"] {
  const [mapping, ...more] = mappings;
  if (mapping === undefined || more.length > 0) {
    throw invalid(field, mappings.length, "must be exactly one mapping");
  }
  const { container_id: containerId, host_id: hostId, length } = mapping;
  if (containerId !== 0) throw invalid(`${field}[0].container_id`, containerId, "must be 0: root has to be mapped");
  if (length === 0) throw invalid(`${field}[0].length`, length, "must be at least 1");
  if (hostId + length > idLimit) throw invalid(`${field}[0].length`, length, `must end below host id ${idLimit}`);
  return { containerId, hostId, length };
}

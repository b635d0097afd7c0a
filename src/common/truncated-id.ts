import { AgentError } from "./errors.ts";

/**
 * The one id that starts with the prefix, so that the 13 characters crictl prints are enough.
 * @returns undefined when none matches
 * @throws AgentError InvalidArgument when several match and none is exact
 */
export function resolveTruncatedId<Id extends string>(kind: string, prefix: string, ids: Iterable<Id>): Id | undefined {
  if (prefix === "")
    throw new AgentError("InvalidArgument", `Missing ${kind} id: an id or its unique prefix is required`);
  let found: Id | undefined;
  let ambiguous = false;
  for (const id of ids) {
    if (id === prefix) return id;
    if (!id.startsWith(prefix)) continue;
    ambiguous = found !== undefined;
    if (ambiguous) break;
    found = id;
  }
  if (ambiguous) {
    throw new AgentError("InvalidArgument", `Ambiguous ${kind} id ${JSON.stringify(prefix)}: several start with it`);
  }
  return found;
}

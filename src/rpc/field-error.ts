import { AgentError } from "../common/errors.ts";

/**
 * The refusal of one field of a request.
 * @param field path from the request's root in the contract's names, such as `config.mounts[0].host_path`
 * @param value what came; never a secret
 * @param want what would be right
 */
export function invalid(field: string, value: unknown, want: string): AgentError {
  return new AgentError("InvalidArgument", `Invalid ${field} ${quote(value)}: ${want}`);
}

/** The refusal of a field that has to be there. */
export function missing(field: string): AgentError {
  return new AgentError("InvalidArgument", `Missing ${field}: it is required`);
}

const maxQuoted = 200;

function quote(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  const shown = text.length > maxQuoted ? `${text.slice(0, maxQuoted)}…` : text;
  return typeof value === "string" ? JSON.stringify(shown) : shown;
}

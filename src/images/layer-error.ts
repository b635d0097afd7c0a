import { AgentError } from "../common/errors.ts";

/** A layer whose tar no image may hold: hostile, or beyond what the format allows. Fetching it again won't help. */
export function invalidLayer(what: string, options?: { readonly cause?: unknown }): AgentError {
  return new AgentError("InvalidArgument", `Cannot unpack the layer: ${what}`, options);
}

/** A layer that is cut short or changed: another copy of it may be good. */
export function damagedLayer(what: string, options?: { readonly cause?: unknown }): AgentError {
  return new AgentError("DataLoss", `Cannot unpack the layer: ${what}`, options);
}

/** A layer that wants more than one may have. */
export function oversizedLayer(what: string): AgentError {
  return new AgentError("ResourceExhausted", `Cannot unpack the layer: ${what}`);
}

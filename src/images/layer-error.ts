import { AgentError, errnoOf, SystemError } from "../common/errors.ts";

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

/** Tells what a failed system call means for a layer. Errors of ours pass as they are. */
export function layerFault(error: unknown): unknown {
  const errno = error instanceof AgentError ? undefined : errnoOf(error);
  // Node's own errors have codes such as ERR_OUT_OF_RANGE.
  if (!(error instanceof SystemError) && (errno === undefined || errno.startsWith("ERR_"))) return error;
  switch (errno) {
    case "ENOSPC":
    case "EDQUOT":
      return new AgentError("ResourceExhausted", "Cannot unpack the layer: no space is left for its files", {
        cause: error,
      });
    case "ENAMETOOLONG":
    case "ELOOP":
    case "EMLINK":
    case "EINVAL":
      return invalidLayer("it asks for what the file system does not allow", { cause: error });
    default:
      return new AgentError("SystemFailure", "Cannot unpack the layer", { cause: error });
  }
}

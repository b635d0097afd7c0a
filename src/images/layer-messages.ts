import { AgentError, type ErrorCode, errorText, primaryError } from "../common/errors.ts";
import type { FittingJob } from "./erofs/fit-indexed-layer.ts";
import type { LayerJob, LayerLimits, StagedLayer } from "./layer-job.ts";
import type { LayerTarget } from "./unpack-layer.ts";

/** What a layer worker is told. A worker does one job at a time. */
export type LayerRequest = UnpackRequest | FitRequest | { readonly kind: "abort"; readonly error: LayerFault };

export interface UnpackRequest {
  readonly kind: "unpack";
  readonly job: LayerJob;
  readonly target: LayerTarget;
}

/** Writes the index of a staged layer whose parents are there now. */
export interface FitRequest {
  readonly kind: "fit";
  readonly job: FittingJob;
  readonly limits: LayerLimits;
}

/** What a layer worker tells. */
export type LayerReply =
  | { readonly kind: "progress"; readonly doneBytes: number }
  /** `staged` of an unpacked layer alone. */
  | { readonly kind: "done"; readonly staged?: StagedLayer }
  | { readonly kind: "failed"; readonly error: LayerFault };

/** An error as it crosses threads, where classes do not survive. */
export interface LayerFault {
  readonly code: ErrorCode;
  readonly message: string;
  readonly cause: string | undefined;
}

export function encodeFault(error: unknown): LayerFault {
  const primary = primaryError(error);
  if (!(primary instanceof AgentError)) {
    return { code: "Internal", message: errorText(primary), cause: undefined };
  }
  return {
    code: primary.code,
    message: primary.message,
    cause: primary.cause === undefined ? undefined : errorText(primary.cause),
  };
}

export function decodeFault({ code, message, cause }: LayerFault): AgentError {
  return new AgentError(code, message, cause === undefined ? undefined : { cause: new Error(cause) });
}

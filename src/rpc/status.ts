import { status as Code, type ServiceError } from "@grpc/grpc-js";
import { AgentError, type ErrorCode, errorText, primaryError } from "../common/errors.ts";

/** The one place where reasons become gRPC codes. */
const codes = {
  InvalidArgument: Code.INVALID_ARGUMENT,
  NotFound: Code.NOT_FOUND,
  AlreadyExists: Code.ALREADY_EXISTS,
  FailedPrecondition: Code.FAILED_PRECONDITION,
  ResourceExhausted: Code.RESOURCE_EXHAUSTED,
  NoAddressLeft: Code.RESOURCE_EXHAUSTED,
  DeadlineExceeded: Code.DEADLINE_EXCEEDED,
  Cancelled: Code.CANCELLED,
  Unavailable: Code.UNAVAILABLE,
  RegistryUnavailable: Code.UNAVAILABLE,
  RROUnsupported: Code.FAILED_PRECONDITION,
  ImageVolumeMountFailed: Code.FAILED_PRECONDITION,
  Unauthenticated: Code.UNAUTHENTICATED,
  PermissionDenied: Code.PERMISSION_DENIED,
  DataLoss: Code.DATA_LOSS,
  Unimplemented: Code.UNIMPLEMENTED,
  Internal: Code.INTERNAL,
  SystemFailure: Code.INTERNAL,
} as const satisfies Record<ErrorCode, Code>;

/** Kubelet knows these messages by their first word and shows the pod a reason of that name. */
const prefixes: Partial<Record<ErrorCode, string>> = {
  RegistryUnavailable: "RegistryUnavailable: ",
  RROUnsupported: "RROUnsupported: ",
  ImageVolumeMountFailed: "ImageVolumeMountFailed: ",
};

/** Trailers share one HTTP/2 header block with a bound of its own; a runtime's output may be long. */
const maxDetails = 4096;

/** How an RPC ended, as it goes over the wire. */
export type RpcStatus = Pick<ServiceError, "code" | "details">;

/**
 * What callers are told about anything thrown: the code of the first error (not of a clean-up that failed after it) and
 * the messages of it and its causes. What is none of ours is Internal. Never a stack.
 */
export function toStatus(error: unknown): RpcStatus {
  const primary = primaryError(error);
  const text = errorText(primary);
  if (!(primary instanceof AgentError)) return { code: Code.INTERNAL, details: shorten(`Internal error: ${text}`) };
  const prefix = prefixes[primary.code] ?? "";
  return { code: codes[primary.code], details: shorten(text.startsWith(prefix) ? text : prefix + text) };
}

/** The end of a runtime's message says why, its beginning what; the middle can go. */
function shorten(text: string): string {
  if (text.length <= maxDetails) return text;
  const half = maxDetails / 2 - 8;
  return `${text.slice(0, half)} […] ${text.slice(-half)}`;
}

/** Name of a gRPC code for the log, such as "NOT_FOUND". */
export function codeName(code: Code): string {
  return Code[code] ?? String(code);
}

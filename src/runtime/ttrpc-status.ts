import { AgentError, type ErrorCode } from "../common/errors.ts";

/** google.rpc.Status */
export interface StatusMessage {
  readonly code: number;
  readonly message: string;
}

/** ttrpc.Request */
export interface RequestMessage {
  readonly service: string;
  readonly method: string;
  readonly payload: Uint8Array;
  readonly timeout_nano?: string;
  readonly metadata?: readonly { readonly key: string; readonly value: string }[];
}

/** ttrpc.Response */
export interface ResponseMessage {
  readonly status: StatusMessage | null;
  readonly payload: Uint8Array;
}

/** gRPC's status numbers, which ttrpc shares. Unknown (2) is how shims report what the runtime printed. */
const codes: ReadonlyMap<number, ErrorCode> = new Map<number, ErrorCode>([
  [1, "Cancelled"],
  [3, "InvalidArgument"],
  [4, "DeadlineExceeded"],
  [5, "NotFound"],
  [6, "AlreadyExists"],
  [7, "PermissionDenied"],
  [8, "ResourceExhausted"],
  [9, "FailedPrecondition"],
  [12, "Unimplemented"],
  [14, "Unavailable"],
  [15, "DataLoss"],
  [16, "Unauthenticated"],
]);

/** What a shim's refusal means; its text, which often is the runtime's own, is kept whole. */
export function errorOfStatus(method: string, status: StatusMessage): AgentError {
  const text = status.message === "" ? `status ${status.code}` : status.message;
  return new AgentError(codes.get(status.code) ?? "Internal", `${method} failed: ${text}`);
}

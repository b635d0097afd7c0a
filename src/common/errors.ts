/** The closed list of reasons an operation can fail for. `rpc/status.ts` alone knows the gRPC code of each. */
export type ErrorCode =
  | "InvalidArgument"
  | "NotFound"
  | "AlreadyExists"
  | "FailedPrecondition"
  | "ResourceExhausted"
  | "NoAddressLeft"
  | "DeadlineExceeded"
  | "Cancelled"
  | "Unavailable"
  | "RegistryUnavailable"
  | "RROUnsupported"
  | "ImageVolumeMountFailed"
  | "Unauthenticated"
  | "PermissionDenied"
  | "DataLoss"
  | "Unimplemented"
  | "Internal"
  | "SystemFailure";

/**
 * An error a caller can act on.
 * `message` names the action, the quoted value, and what would be right; it never holds a secret.
 */
export class AgentError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = "AgentError";
    this.code = code;
  }
}

/** A failed system call or command; `src/system` throws nothing else. The folder that knows the step wraps it. */
export class SystemError extends Error {
  /** Symbolic errno such as "EBUSY", or undefined when a command failed. */
  readonly errno: string | undefined;
  /** Exit status of a command, or undefined when a system call failed. */
  readonly exitCode: number | undefined;

  constructor(
    message: string,
    detail: { readonly errno?: string; readonly exitCode?: number; readonly cause?: unknown } = {},
  ) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = "SystemError";
    this.errno = detail.errno;
    this.exitCode = detail.exitCode;
  }
}

/** `await using` wraps a body's error when a clean-up fails too; this gives back the body's own error. */
export function primaryError(error: unknown): unknown {
  let current = error;
  while (current instanceof SuppressedError) current = current.suppressed;
  return current;
}

/** The message of anything thrown, with the causes behind it appended after colons. */
export function errorText(error: unknown): string {
  const parts: string[] = [];
  let current: unknown = primaryError(error);
  while (current !== undefined && parts.length < 8) {
    const text = current instanceof Error ? current.message || current.name : String(current);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    current = current instanceof Error ? primaryError(current.cause) : undefined;
  }
  return parts.join(": ");
}

/** The errno name of a Node or Podling system error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof SystemError) return error.errno;
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return undefined;
}

/** Whether the error is an AgentError of this code. */
export function hasCode(error: unknown, code: ErrorCode): boolean {
  const primary = primaryError(error);
  return primary instanceof AgentError && primary.code === code;
}

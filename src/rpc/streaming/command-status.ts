/** How an exec or attach ended. */
export type CommandOutcome =
  | { readonly kind: "exited"; readonly exitCode: number }
  /** An attach whose container's output ended, or whose client had enough. */
  | { readonly kind: "detached" }
  | { readonly kind: "failed"; readonly message: string };

/**
 * What the error stream carries at the end: a Kubernetes `metav1.Status` as JSON (protocol v4 and later), or before
 * that only the words of a failure.
 */
export function encodeStatus(outcome: CommandOutcome, form: "json" | "text"): Buffer {
  const status = statusOf(outcome);
  if (form === "json") return Buffer.from(JSON.stringify(status));
  return Buffer.from("message" in status ? status.message : "");
}

function statusOf(outcome: CommandOutcome) {
  if (outcome.kind === "failed") {
    const message = `Internal error occurred: ${outcome.message}`;
    return { metadata: {}, status: "Failure", message, reason: "InternalError", code: 500 } as const;
  }
  if (outcome.kind === "detached" || outcome.exitCode === 0) return { metadata: {}, status: "Success" } as const;
  return {
    metadata: {},
    status: "Failure",
    message: `command terminated with non-zero exit code: exit status ${outcome.exitCode}`,
    reason: "NonZeroExitCode",
    details: { causes: [{ reason: "ExitCode", message: String(outcome.exitCode) }] },
  } as const;
}

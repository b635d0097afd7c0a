import { abortError } from "../../common/deadline.ts";
import { AgentError } from "../../common/errors.ts";
import { type CapturedProcess, captureProcess, endName, killSession } from "../../system/captured-process.ts";

export interface CredentialProgram {
  /** A path, or a name looked up in PATH. */
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment but PATH, which is the agent's. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: string;
  readonly timeoutMs: number;
}

/** Far more than a pair of names and passwords, and little enough to be held a few times. */
const mostOutputBytes = 1024 * 1024;

/**
 * Runs a program that hands out credentials. What it prints is secret on both streams, so none of it is in an error.
 * @returns its exit code and standard output
 * @throws AgentError FailedPrecondition when it can't be run or was killed, DeadlineExceeded, ResourceExhausted when it prints
 *   too much, or the signal's reason
 */
export async function runCredentialProgram(
  call: CredentialProgram,
  signal: AbortSignal,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  if (signal.aborted) throw abortError(signal);
  const what = `Credential program ${JSON.stringify(call.program)}`;
  let failure: AgentError | undefined;
  const giveUp = (error: AgentError) => {
    failure ??= error;
    killSession(running.pid);
  };
  const running = start(what, call, () =>
    giveUp(new AgentError("ResourceExhausted", `${what} prints more than ${mostOutputBytes} bytes`)),
  );
  const timer = setTimeout(
    () => giveUp(new AgentError("DeadlineExceeded", `${what} did not end within ${call.timeoutMs} ms`)),
    call.timeoutMs,
  );
  const onAbort = () => giveUp(abortError(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const end = await running.ended;
    const [output] = await Promise.all([running.output.end(), running.errors.end()]);
    if (failure !== undefined) throw failure;
    if ("signal" in end) throw new AgentError("FailedPrecondition", `${what} was ended by ${endName(end)}`);
    return { exitCode: end.code, output: output.toString("utf8") };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

function start(what: string, call: CredentialProgram, onOverflow: () => void): CapturedProcess {
  const { program, args, env, input } = call;
  try {
    return captureProcess({ program, args, cwd: "/", env, input: Buffer.from(input), mostOutputBytes, onOverflow });
  } catch (cause) {
    throw new AgentError("FailedPrecondition", `${what} can't be run: it must be installed`, { cause });
  }
}

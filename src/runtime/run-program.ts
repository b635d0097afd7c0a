import { AgentError } from "../common/errors.ts";
import { type CapturedProcess, captureProcess, endName, killSession } from "../system/captured-process.ts";

export interface ProgramCall {
  /** A path, or a name looked up in PATH. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment but PATH, which is the agent's. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: Buffer;
  readonly timeoutMs: number;
}

const mostOutputBytes = 1 << 20;

/**
 * Runs a program to its end, in a session of its own so that no terminal's signal reaches what it leaves running.
 * @param what names it in errors
 * @returns its standard output
 * @throws AgentError FailedPrecondition when it can't be run, DeadlineExceeded, Unavailable with its standard error
 */
export async function runProgram(what: string, call: ProgramCall): Promise<Buffer> {
  const program = start(what, call);
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    killSession(program.pid);
  }, call.timeoutMs);
  // The end of its output would not do: a daemon it started may keep that open.
  const end = await program.ended;
  clearTimeout(timer);
  const [text, errorText] = await Promise.all([program.output.end(), program.errors.end()]);
  if (expired) {
    throw new AgentError("DeadlineExceeded", `${what} did not end within ${call.timeoutMs} ms: ${tail(errorText)}`);
  }
  if ("code" in end && end.code === 0) return text;
  throw new AgentError("Unavailable", `${what} failed with ${endName(end)}: ${tail(errorText)}`);
}

function start(what: string, call: ProgramCall): CapturedProcess {
  try {
    return captureProcess({ ...call, mostOutputBytes });
  } catch (cause) {
    throw new AgentError("FailedPrecondition", `${what} can't be run: it must be an installed program`, { cause });
  }
}

function tail(text: Buffer): string {
  const words = text.toString().trim();
  return words === "" ? "it printed nothing" : words.slice(-2000);
}

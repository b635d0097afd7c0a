import { spawn } from "node:child_process";
import { AgentError } from "../common/errors.ts";

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

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const mostOutputBytes = 1 << 20;

/**
 * Runs a program to its end, in a session of its own so that no terminal's signal reaches what it leaves running.
 * @param what names it in errors
 * @returns its standard output
 * @throws AgentError FailedPrecondition when it can't be run, DeadlineExceeded, Unavailable with its standard error
 */
export async function runProgram(what: string, call: ProgramCall): Promise<Buffer> {
  const child = spawn(call.program, call.args, {
    cwd: call.cwd,
    env: { PATH: process.env["PATH"] ?? usualPath, ...call.env },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output = collect(child.stdout);
  const errors = collect(child.stderr);
  const { promise, resolve, reject } = Promise.withResolvers<number | string>();
  child.once("error", reject);
  // "close" would wait for output that a daemon it started keeps open.
  child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
  // It may end without reading; its exit tells why.
  child.stdin.on("error", () => undefined);
  child.stdin.end(call.input);
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    if (child.pid !== undefined) killGroup(child.pid);
  }, call.timeoutMs);
  let status: number | string;
  try {
    status = await promise;
  } catch (cause) {
    throw new AgentError("FailedPrecondition", `${what} can't be run: it must be an installed program`, { cause });
  } finally {
    clearTimeout(timer);
  }
  const [text, errorText] = await Promise.all([output.end(), errors.end()]);
  if (expired) {
    throw new AgentError("DeadlineExceeded", `${what} did not end within ${call.timeoutMs} ms: ${tail(errorText)}`);
  }
  if (status !== 0) throw new AgentError("Unavailable", `${what} failed with ${status}: ${tail(errorText)}`);
  return text;
}

interface Collected {
  /** What came until now or until the stream's end, whichever is sooner than a short while after the exit. */
  end(): Promise<Buffer>;
}

function collect(stream: NodeJS.ReadableStream): Collected {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  stream.on("data", (chunk: Buffer) => {
    if (bytes < mostOutputBytes) chunks.push(chunk);
    bytes += chunk.length;
  });
  stream.on("end", resolve);
  stream.on("error", () => resolve());
  return {
    end: async () => {
      // What a process wrote before its exit is in the pipe already, so the end comes at once unless it was inherited.
      const timer = setTimeout(resolve, 500);
      await ended;
      clearTimeout(timer);
      if ("destroy" in stream && typeof stream.destroy === "function") stream.destroy();
      return Buffer.concat(chunks).subarray(0, mostOutputBytes);
    },
  };
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // Already gone.
  }
}

function tail(text: Buffer): string {
  const words = text.toString().trim();
  return words === "" ? "it printed nothing" : words.slice(-2000);
}

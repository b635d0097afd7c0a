import { closeSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { constants as os } from "node:os";
import { AgentError } from "../common/errors.ts";
import { makePipe, memoryFile, type ProcessEnd, type SpawnedProcess, spawnProcess } from "../system/spawn-process.ts";

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
  const program = start(what, call);
  let expired = false;
  const timer = setTimeout(() => {
    expired = true;
    killGroup(program.pid);
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

interface Started extends SpawnedProcess {
  readonly output: Collected;
  readonly errors: Collected;
}

function start(what: string, { program, args, cwd, env, input }: ProgramCall): Started {
  using ours = new DisposableStack();
  const [output, errors] = [makePipe(), makePipe()];
  for (const fd of [output.write, errors.write]) ours.defer(() => closeSync(fd));
  const collected = { output: collect(output.read), errors: collect(errors.read) };
  // A file, so that neither side can block the other while it reads or writes.
  const inputFile = memoryFile();
  ours.defer(() => closeSync(inputFile));
  if (input.length > 0) writeSync(inputFile, input, 0, input.length, 0);
  const path = process.env["PATH"] ?? usualPath;
  try {
    const stdio = [inputFile, output.write, errors.write] as const;
    return { ...spawnProcess({ program, args, cwd, env: { PATH: path, ...env }, stdio }), ...collected };
  } catch (cause) {
    throw new AgentError("FailedPrecondition", `${what} can't be run: it must be an installed program`, { cause });
  }
}

function endName(end: ProcessEnd): string {
  if ("code" in end) return String(end.code);
  return Object.entries(os.signals).find(([, number]) => number === end.signal)?.[0] ?? `signal ${end.signal}`;
}

interface Collected {
  /** What came until now or until the stream's end, whichever is sooner than a short while after the exit. */
  end(): Promise<Buffer>;
}

function collect(fd: number): Collected {
  const stream = new Socket({ fd, readable: true, writable: false });
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
      stream.destroy();
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

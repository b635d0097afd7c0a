import { closeSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { constants as os } from "node:os";
import { makePipe, memoryFile, type ProcessEnd, type SpawnedProcess, spawnProcess } from "./spawn-process.ts";

export interface CaptureRequest {
  /** A path, or a name looked up in our own PATH. */
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment but PATH, which is ours. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: Buffer;
  /** Of each stream; what comes after them is read and dropped. */
  readonly mostOutputBytes: number;
  /** Told once, when a stream is longer. */
  readonly onOverflow?: () => void;
}

/** A program that runs, and what it writes. */
export interface CapturedProcess extends SpawnedProcess {
  readonly output: CapturedStream;
  readonly errors: CapturedStream;
}

export interface CapturedStream {
  /** What came until now or until the stream's end, whichever is sooner than a short while after the exit. */
  end(): Promise<Buffer>;
}

const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** What a process wrote before its exit is in the pipe already, so a stream's end comes at once unless it was inherited. */
const inheritedMs = 500;

/** Starts a program as the leader of a session of its own. @throws SystemError when it can't be run */
export function captureProcess(request: CaptureRequest): CapturedProcess {
  const { program, args, cwd, env, input, mostOutputBytes, onOverflow } = request;
  using ours = new DisposableStack();
  const [output, errors] = [makePipe(), makePipe()];
  for (const fd of [output.write, errors.write]) ours.defer(() => closeSync(fd));
  const captured = {
    output: captureStream(output.read, mostOutputBytes, onOverflow),
    errors: captureStream(errors.read, mostOutputBytes, onOverflow),
  };
  // A file, so that neither side can block the other while it reads or writes.
  const inputFile = memoryFile();
  ours.defer(() => closeSync(inputFile));
  if (input.length > 0) writeSync(inputFile, input, 0, input.length, 0);
  const stdio = [inputFile, output.write, errors.write] as const;
  const path = process.env["PATH"] ?? usualPath;
  return { ...spawnProcess({ program, args, cwd, env: { PATH: path, ...env }, stdio }), ...captured };
}

/** Kills a process that {@link captureProcess} started with what it started in turn. */
export function killSession(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch {
    // Already gone.
  }
}

/** An exit code, or a signal's name. */
export function endName(end: ProcessEnd): string {
  if ("code" in end) return String(end.code);
  return Object.entries(os.signals).find(([, number]) => number === end.signal)?.[0] ?? `signal ${end.signal}`;
}

function captureStream(fd: number, mostBytes: number, onOverflow: () => void = () => undefined): CapturedStream {
  const stream = new Socket({ fd, readable: true, writable: false });
  const chunks: Buffer[] = [];
  let bytes = 0;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  stream.on("data", (chunk: Buffer) => {
    if (bytes < mostBytes) chunks.push(chunk);
    const fits = bytes <= mostBytes;
    bytes += chunk.length;
    if (fits && bytes > mostBytes) onOverflow();
  });
  stream.on("end", resolve);
  stream.on("error", () => resolve());
  return {
    end: async () => {
      const timer = setTimeout(resolve, inheritedMs);
      await ended;
      clearTimeout(timer);
      stream.destroy();
      return Buffer.concat(chunks).subarray(0, mostBytes);
    },
  };
}

import { spawn } from "node:child_process";

export interface CommandResult {
  readonly stdout: string;
  /** The same, undecoded. */
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
  /** 128 + n when signal n ended the program. */
  readonly exitCode: number;
}

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The program is killed when this passes. Default 120,000. */
  readonly timeoutMs?: number;
}

/** Runs a program to its end, whatever its exit code. @throws when it can't be started or runs out of time */
export function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const [program = "", ...rest] = argv;
  const timeoutMs = options.timeoutMs ?? 120_000;
  return new Promise((resolve, reject) => {
    const child = spawn(program, rest, {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const result = {
        // Decoded only when asked for: an archive may be larger than a string can be.
        get stdout() {
          return this.stdoutBytes.toString();
        },
        stdoutBytes: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString(),
        exitCode: code ?? 137,
      };
      if (signal === "SIGKILL" && child.killed) {
        reject(new Error(`${argv.join(" ")} did not end within ${timeoutMs} ms\n${result.stdout}${result.stderr}`));
      } else resolve(result);
    });
  });
}

/** Runs a program that has to succeed. @returns its standard output */
export async function output(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  return (await outputBytes(argv, options)).toString();
}

/** As {@link output}, undecoded. */
export async function outputBytes(argv: readonly string[], options: CommandOptions = {}): Promise<Buffer> {
  const result = await runCommand(argv, options);
  if (result.exitCode !== 0) {
    throw new Error(`${argv.join(" ")} ended with ${result.exitCode}\n${result.stderr}${result.stdout}`);
  }
  return result.stdoutBytes;
}

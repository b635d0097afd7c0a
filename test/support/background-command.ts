import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { CommandResult } from "./command.ts";
import { eventually } from "./eventually.ts";

export interface BackgroundOptions {
  /** Whether the program has a terminal of its own, of 80 × 24 until {@link BackgroundCommand.resize}. */
  readonly terminal?: boolean;
  /** Whether nobody reads its output, as with a client that has stalled. */
  readonly unread?: boolean;
}

/** A program that a test talks to while it runs. Disposing it kills it. */
export class BackgroundCommand implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #stdout = Buffer.alloc(0);
  #stderr = "";

  constructor(argv: readonly string[], options: BackgroundOptions = {}) {
    const [program = "", ...rest] = options.terminal ? inTerminal(argv) : argv;
    this.#child = spawn(program, rest, { stdio: ["pipe", "pipe", "pipe"] });
    this.#exited = once(this.#child, "close");
    this.#child.stdin?.on("error", () => undefined);
    if (options.unread) return;
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#stdout = Buffer.concat([this.#stdout, chunk]);
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr += chunk.toString();
    });
  }

  /** What it wrote until now. */
  get stdout(): string {
    return this.#stdout.toString();
  }

  get stderr(): string {
    return this.#stderr;
  }

  write(text: string | Buffer): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  /** Waits until its output has the text. @returns the match */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    return eventually(`${pattern} in ${JSON.stringify(this.stdout.slice(-500))} ${this.#stderr}`, () => {
      return pattern.exec(this.stdout) ?? undefined;
    }).catch((error: unknown) => {
      throw new Error(`Never saw ${pattern} in:\n${this.stdout.slice(-2000)}\n${this.#stderr}`, { cause: error });
    });
  }

  /** Ends it without a word to anybody. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Waits for its end. */
  async result(): Promise<CommandResult> {
    await this.#exited;
    return {
      stdout: this.stdout,
      stdoutBytes: this.#stdout,
      stderr: this.#stderr,
      exitCode: this.#child.exitCode ?? 137,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    this.#child.stdout?.resume();
    this.#child.stderr?.resume();
    await this.#exited;
  }
}

/** util-linux's script runs a program on a terminal of its own and gives its exit code. */
function inTerminal(argv: readonly string[]): readonly string[] {
  const quoted = argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  return ["script", "-qefc", `stty rows 24 cols 80; echo "terminal $(tty)"; exec ${quoted}`, "/dev/null"];
}

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Agent } from "./agent.ts";
import { type CommandResult, runCommand } from "./command.ts";
import { toolsDirectory } from "./requirements.ts";

/** The real crictl on an agent's socket. */
export class Crictl {
  readonly #base: readonly string[];
  readonly #scratch: string;
  #files = 0;

  constructor(agent: Pick<Agent, "socket" | "instance">) {
    const endpoint = `unix://${agent.socket}`;
    this.#scratch = agent.instance.scratch;
    const config = join(this.#scratch, "crictl.yaml");
    writeFileSync(config, `runtime-endpoint: ${endpoint}\nimage-endpoint: ${endpoint}\ntimeout: 60\n`);
    this.#base = [join(toolsDirectory, "crictl"), "--config", config];
  }

  /** The argument vector of a command, for tests that start it themselves. */
  command(...args: readonly string[]): readonly string[] {
    return [...this.#base, ...args];
  }

  /** Runs a command, whatever its outcome. */
  attempt(...args: readonly string[]): Promise<CommandResult> {
    return runCommand(this.command(...args));
  }

  /** Runs a command that has to succeed. @returns its standard output without the last newline */
  async run(...args: readonly string[]): Promise<string> {
    const result = await this.attempt(...args);
    if (result.exitCode !== 0) {
      throw new Error(`crictl ${args.join(" ")} ended with ${result.exitCode}\n${result.stderr}${result.stdout}`);
    }
    return result.stdout.trimEnd();
  }

  /** Runs a command that has to fail. @returns what it says on standard error */
  async refused(...args: readonly string[]): Promise<string> {
    const result = await this.attempt(...args);
    if (result.exitCode === 0) throw new Error(`crictl ${args.join(" ")} was to fail and said\n${result.stdout}`);
    return result.stderr;
  }

  /** Runs a command with `-o json`. The caller knows the shape. */
  async json<Shape>(command: string, ...args: readonly string[]): Promise<Shape> {
    // Flags after the first name would be taken for names.
    return JSON.parse(await this.run(command, "-o", "json", ...args)) as Shape;
  }

  /** Writes a configuration as a file. @returns its path */
  file(content: object): string {
    const path = join(this.#scratch, `request-${++this.#files}.json`);
    writeFileSync(path, JSON.stringify(content));
    return path;
  }
}

import { Command, CommanderError, Option } from "commander";
import { AgentError, errorText } from "../common/errors.ts";
import { AgentClient } from "./agent-client.ts";
import { addCaches } from "./cache-commands.ts";
import { type ClientOptions, clientCommand, formatOption } from "./client-options.ts";
import { readCredentials } from "./credentials.ts";
import { examine } from "./doctor-command.ts";
import { addImages } from "./image-commands.ts";
import { listPods, podColumns } from "./list-commands.ts";
import { addNet } from "./net-commands.ts";
import { formatRows, formatValue, type OutputFormat } from "./output.ts";
import type { DoctorSubject } from "./plan-doctor.ts";
import { pullWithProgress } from "./pull-command.ts";

export interface ServeOptions {
  readonly configPath: string;
  /** The path was not typed: without the file the defaults hold. */
  readonly mayBeAbsent: boolean;
}

/** What the command line needs from the parts it may not import; `main.ts` passes them in. */
export interface ProgramParts {
  readonly version: string;
  readonly defaultConfigPath: string;
  readonly defaultConfigText: string;
  /** Runs the agent until it is told to stop. */
  readonly serve: (options: ServeOptions) => Promise<void>;
  /** @throws AgentError listing the faults, one a line */
  readonly readConfig: (path: string, options: { readonly mayBeAbsent: boolean }) => DoctorSubject;
}

/**
 * Runs one command line.
 * @param argv as process.argv
 * @returns the exit code: 0 done, 1 refused or failed with the reason on standard error, 2 wrong usage
 */
export async function runProgram(parts: ProgramParts, argv: readonly string[]): Promise<number> {
  try {
    await createProgram(parts).parseAsync([...argv]);
    return 0;
  } catch (error) {
    // Commander has written its message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (error instanceof CommandFailed) return 1;
    process.stderr.write(`podling: ${errorText(error)}\n`);
    return 1;
  }
}

/** The command line's grammar. Throws CommanderError instead of ending the process. */
export function createProgram(parts: ProgramParts): Command {
  const program = new Command("podling")
    .description("A node agent that gives one machine what a cloud's elastic container instances give")
    .version(parts.version)
    .exitOverride()
    .showHelpAfterError("Try podling --help.");
  addServe(program, parts);
  addConfig(program, parts);
  addDoctor(program, parts);
  addPull(program);
  addImages(program);
  addCaches(program);
  addPods(program);
  addNet(program);
  return program;
}

/** A command that has said all there is to say and failed. */
class CommandFailed extends Error {}

function addServe(program: Command, parts: ProgramParts): void {
  program
    .command("serve")
    .description("run the agent")
    .addOption(configOption(parts))
    .action(async ({ config }: { readonly config?: string }) =>
      parts.serve({ configPath: config ?? parts.defaultConfigPath, mayBeAbsent: config === undefined }),
    );
}

function addConfig(program: Command, parts: ProgramParts): void {
  const config = program.command("config").description("print or check configurations");
  config
    .command("default")
    .description("print the configuration that holds where a file says nothing")
    .action(() => void process.stdout.write(parts.defaultConfigText));
  config
    .command("check")
    .description("name every fault of a configuration and its drop-ins")
    .argument("[file]", "the configuration", parts.defaultConfigPath)
    .action((file: string) => {
      try {
        parts.readConfig(file, { mayBeAbsent: false });
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        // One fault a line, each starting with file:line, as editors and compilers have it.
        process.stderr.write(`${error.code === "InvalidArgument" ? error.message : errorText(error)}\n`);
        throw new CommandFailed();
      }
      process.stdout.write(`${file} is right\n`);
    });
}

function addDoctor(program: Command, parts: ProgramParts): void {
  program
    .command("doctor")
    .description("say what this machine lacks and what each feature then loses")
    .addOption(configOption(parts))
    .addOption(formatOption())
    .action(({ config, output }: { readonly config?: string; readonly output: OutputFormat }) => {
      const subject = parts.readConfig(config ?? parts.defaultConfigPath, { mayBeAbsent: config === undefined });
      const { text, healthy } = examine(subject, output);
      process.stdout.write(text);
      if (!healthy) throw new CommandFailed();
    });
}

function addPull(program: Command): void {
  clientCommand(program.command("pull"))
    .description("pull an image")
    .argument("<ref>", "the image, such as docker.io/library/debian:12")
    .option(
      "--creds-file <file>",
      "a file whose first line is name:password; - for standard input (default: the variable PODLING_CREDS)",
    )
    .action(async (reference: string, options: ClientOptions & { readonly credsFile?: string }) => {
      const credentials = readCredentials(options.credsFile, process.env);
      using client = new AgentClient(options.address);
      // Standard output is kept for the result.
      const { id, summary } = await pullWithProgress(client, { reference, credentials }, process.stderr);
      const result = { reference, id };
      process.stdout.write(options.output === "table" ? `${id}  ${summary}\n` : formatValue(options.output, result));
    });
}

function addPods(program: Command): void {
  const pods = program.command("pods").description("list the pods");
  clientCommand(pods.command("list", { isDefault: true }))
    .description("list the pods")
    .action(async ({ address, output }: ClientOptions) => {
      using client = new AgentClient(address);
      process.stdout.write(formatRows(output, await listPods(client), podColumns(Date.now())));
    });
}

function configOption(parts: ProgramParts): Option {
  return new Option("--config <file>", `the configuration (default: ${parts.defaultConfigPath}, if there is one)`);
}

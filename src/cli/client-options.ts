import { type Command, Option } from "commander";
import { defaultAddress } from "./agent-client.ts";
import { type OutputFormat, outputFormats } from "./output.ts";

/** What every command that asks an agent takes. */
export interface ClientOptions {
  readonly address: string;
  readonly output: OutputFormat;
}

/** Gives a command the options of {@link ClientOptions}. */
export function clientCommand(command: Command): Command {
  return command
    .addOption(new Option("--address <socket>", "the agent's socket").env("PODLING_ADDRESS").default(defaultAddress))
    .addOption(formatOption());
}

export function formatOption(): Option {
  return new Option("-o, --output <format>", "how to print the result").choices(outputFormats).default("table");
}

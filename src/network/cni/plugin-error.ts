import { z } from "zod";
import { AgentError, type ErrorCode } from "../../common/errors.ts";

/** Codes of the specification that mean something to the runtime. */
export const pluginErrorCode = { unknownContainer: 3, tryAgain: 11 } as const;

/** A plugin that said no, in the words it said it with. */
export class PluginError extends AgentError {
  /** The specification's code; undefined when the plugin ended without saying why. */
  readonly pluginCode: number | undefined;

  constructor(code: ErrorCode, message: string, pluginCode: number | undefined) {
    super(code, message);
    this.pluginCode = pluginCode;
  }
}

/** What a plugin that failed left to be read. */
export interface FailedPlugin {
  readonly type: string;
  readonly command: string;
  /** Its exit code or the signal that ended it. */
  readonly end: string;
  readonly output: string;
  readonly errors: string;
}

/** What callers can do about each code; the others may pass by themselves. */
const codes: Readonly<Record<number, { readonly code: ErrorCode; readonly meaning: string }>> = {
  1: { code: "FailedPrecondition", meaning: "CNI version not supported" },
  2: { code: "FailedPrecondition", meaning: "field not supported" },
  3: { code: "NotFound", meaning: "container unknown" },
  4: { code: "Internal", meaning: "environment not right" },
  5: { code: "Unavailable", meaning: "input or output failed" },
  6: { code: "FailedPrecondition", meaning: "content can't be decoded" },
  7: { code: "FailedPrecondition", meaning: "network configuration not valid" },
  11: { code: "Unavailable", meaning: "try again later" },
  50: { code: "Unavailable", meaning: "not available" },
  51: { code: "Unavailable", meaning: "not available, and pods it has may have lost their network" },
};
const longestWords = 2000;

const answer = z.looseObject({ code: z.number(), msg: z.string(), details: z.string().default("") });

/** A failed plugin's words as an error. */
export function pluginError({ type, command, end, output, errors }: FailedPlugin): PluginError {
  const action = `CNI plugin "${type}" failed to ${command}`;
  const said = readAnswer(output);
  if (said === undefined) {
    const rest = plainWords(`${output} ${errors}`);
    const words = rest === "" ? "it printed nothing" : rest;
    return new PluginError("Unavailable", `${action} with ${end} and without a reason: ${words}`, undefined);
  }
  const { code, meaning } = codes[said.code] ?? { code: "Unavailable", meaning: "" };
  const words = [said.msg, said.details].map(plainWords).filter((part) => part !== "");
  const known = meaning === "" ? `code ${said.code}` : `code ${said.code}, ${meaning}`;
  return new PluginError(code, `${[`${action} (${known})`, ...words].join(": ")}`, said.code);
}

function readAnswer(output: string): z.output<typeof answer> | undefined {
  try {
    return answer.safeParse(JSON.parse(output)).data;
  } catch {
    return undefined;
  }
}

/** One line without control characters, for logs and terminals. */
function plainWords(text: string): string {
  return text
    .replace(/[\p{Cc}\s]+/gu, " ")
    .trim()
    .slice(0, longestWords);
}

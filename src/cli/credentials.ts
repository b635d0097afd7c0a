import { readFileSync } from "node:fs";
import { AgentError } from "../common/errors.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/**
 * Credentials of one registry. They never stand on the command line, where every user of the machine could read them.
 * @param file whose first line is `name:password`; "-" is standard input; undefined: the variable `PODLING_CREDS`
 * @throws AgentError without the text itself
 */
export function readCredentials(file: string | undefined, environment: NodeJS.ProcessEnv): Credentials | undefined {
  const fromEnvironment = environment["PODLING_CREDS"];
  if (file === undefined && (fromEnvironment === undefined || fromEnvironment === "")) return undefined;
  const where = file === undefined ? "PODLING_CREDS" : file === "-" ? "standard input" : JSON.stringify(file);
  const text = file === undefined ? (fromEnvironment ?? "") : readText(file, where);
  const [line = ""] = text.split(/\r?\n/);
  const colon = line.indexOf(":");
  if (colon < 1) throw new AgentError("InvalidArgument", `Invalid credentials in ${where}: must be name:password`);
  return { username: line.slice(0, colon), password: line.slice(colon + 1) };
}

function readText(file: string, where: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new AgentError("NotFound", `Cannot read credentials from ${where}`, { cause: error });
  }
}

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { TomlError } from "smol-toml";
import { z } from "zod";
import { AgentError, errnoOf, errorText } from "./common/errors.ts";
import { isLoopbackHost, splitHostPort } from "./common/loopback.ts";
import { defaultConfigText } from "./config-default.ts";
import {
  type Origin,
  originOf,
  overlay,
  parseSourced,
  partAt,
  plainValue,
  type Sourced,
  withEntry,
  withoutKeys,
} from "./config-layers.ts";
import type { KeyPath } from "./config-locate.ts";
import { type Config, configSchema, toConfig } from "./config-schema.ts";

/** Where an agent that is told nothing else looks for its configuration. */
export const defaultConfigPath = "/etc/podling/config.toml";

/** Something wrong at a key, in words that follow the key's name: `must be …`. */
interface ConfigProblem {
  readonly path: KeyPath;
  readonly message: string;
}

export interface LoadOptions {
  /** A missing file means the defaults (with whatever `conf.d` holds) instead of an error. */
  readonly mayBeAbsent?: boolean;
  /**
   * Checks of the parts that own a section; they see only a configuration that is right so far. A check throws an
   * AgentError InvalidArgument whose message starts with `Invalid` and the key, as in "Invalid network.vpcs[0].cidr …".
   */
  readonly checks?: ReadonlyArray<(config: Config) => void>;
}

/**
 * Reads a configuration file and the drop-ins `conf.d/*.toml` beside it, in the order of their names.
 * @param path of the main file
 * @throws AgentError NotFound when the file is absent; InvalidArgument listing every fault, one a line, as `file:line: …`
 */
export function loadConfig(path: string, options: LoadOptions = {}): Config {
  const faults: Fault[] = [];
  const written = readDocuments(path, options.mayBeAbsent === true).flatMap(({ file, text }) => {
    try {
      return [parseSourced(file, text)];
    } catch (error) {
      faults.push(syntaxFault(file, error));
      return [];
    }
  });
  refuse(faults);
  const merged = written.reduce(overlay, defaultsFor(written));
  const checked = configSchema.safeParse(plainValue(merged));
  const problems = checked.success ? [] : checked.error.issues.flatMap(problemsOf);
  problems.push(...crossProblems(merged));
  refuse(problems.map((problem) => faultOf(merged, problem)));
  if (!checked.success) throw new AgentError("Internal", "The configuration failed without a fault");
  const config = toConfig(checked.data);
  refuse((options.checks ?? []).flatMap((check) => ownersFault(merged, () => check(config))));
  return config;
}

interface Fault {
  readonly origin: Origin;
  readonly text: string;
}

interface Document {
  readonly file: string;
  readonly text: string;
}

function readDocuments(path: string, mayBeAbsent: boolean): readonly Document[] {
  const dropIns = join(dirname(path), "conf.d");
  const names = readIfPresent(dropIns, () => readdirSync(dropIns)) ?? [];
  const files = names.filter((name) => name.endsWith(".toml")).sort();
  const main = readIfPresent(path, () => readFileSync(path, "utf8"));
  if (main === undefined && !mayBeAbsent) {
    throw new AgentError("NotFound", `Cannot read the configuration ${JSON.stringify(path)}: there is no such file`);
  }
  const documents = main === undefined ? [] : [{ file: path, text: main }];
  for (const file of files.map((name) => join(dropIns, name))) {
    const text = readIfPresent(file, () => readFileSync(file, "utf8"));
    if (text !== undefined) documents.push({ file, text });
  }
  return documents;
}

function readIfPresent<Result>(path: string, read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw new AgentError("FailedPrecondition", `Cannot read the configuration ${JSON.stringify(path)}`, {
      cause: error,
    });
  }
}

/**
 * What lies under the written documents. The default VPC, vSwitch and security group go together: who writes one of
 * these lists writes them all. The default socket lies in whatever state directory was chosen.
 */
function defaultsFor(written: readonly Sourced[]): Sourced {
  const all = parseSourced("built-in default", defaultConfigText);
  const network = partAt(all, ["network"]);
  const grpc = partAt(all, ["grpc"]);
  if (network === undefined || grpc === undefined) return all;
  const lists = ["vpcs", "vswitches", "security_groups"];
  const own = lists.flatMap((list) => written.flatMap((document) => partAt(document, ["network", list]) ?? []))[0];
  const networkLeft =
    own === undefined
      ? network
      : lists.reduce((table, list) => withEntry(table, list, { origin: own.origin, content: [] }), network);
  return withEntry(withEntry(all, "network", networkLeft), "grpc", withoutKeys(grpc, ["address"]));
}

/** One problem for each key that is unknown, and one for everything else that zod found. */
function problemsOf(issue: z.core.$ZodIssue): readonly ConfigProblem[] {
  const path = issue.path.map((step) => (typeof step === "symbol" ? String(step) : step));
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(path);
    const hint = known.length === 0 ? "" : `: known here are ${known.join(", ")}`;
    return issue.keys.map((key) => ({ path: [...path, key], message: `unknown key${hint}` }));
  }
  if (issue.code === "invalid_key") return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  return [{ path, message: issue.message }];
}

/** The keys that the schema has in the table at the path. */
function knownKeys(path: KeyPath): readonly string[] {
  let schema: unknown = configSchema;
  for (const step of path) {
    schema = unwrapped(schema);
    if (schema instanceof z.ZodObject) schema = schema.shape[String(step)];
    else if (schema instanceof z.ZodArray) schema = schema.element;
    else if (schema instanceof z.ZodRecord) schema = schema.valueType;
  }
  schema = unwrapped(schema);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  return schema instanceof z.ZodOptional ? schema.unwrap() : schema;
}

/** What no single key shows: names that must be defined elsewhere. Looks at the raw values, so that it always runs. */
function crossProblems(merged: Sourced): readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [
    ...streamingProblems(tableAt(merged, ["streaming"])),
    ...credentialProblems(tableAt(merged, ["registry"]), tableAt(merged, ["registry", "acr"])),
    ...imageGcProblems(tableAt(merged, ["images", "gc"])),
  ];
  const handlers = Object.keys(tableAt(merged, ["runtime", "handlers"]));
  requireOneOf(problems, merged, ["runtime", "default_handler"], handlers, "[runtime.handlers.NAME]");
  const vpcs = entriesAt(merged, ["network", "vpcs"]);
  const vswitches = entriesAt(merged, ["network", "vswitches"]);
  for (const [list, entries] of Object.entries({ vpcs, vswitches })) {
    if (entries?.length === 0) problems.push({ path: ["network", list], message: "must have at least one entry" });
    const seen = new Set<unknown>();
    for (const [place, { id }] of (entries ?? []).entries()) {
      if (typeof id === "string" && seen.has(id)) {
        problems.push({ path: ["network", list, place, "id"], message: "must differ from every other id" });
      }
      seen.add(id);
    }
  }
  const vpcIds = (vpcs ?? []).flatMap(({ id }) => (typeof id === "string" ? [id] : []));
  for (const place of (vswitches ?? []).keys()) {
    requireOneOf(problems, merged, ["network", "vswitches", place, "vpc"], vpcIds, "the ids of [[network.vpcs]]");
  }
  return problems;
}

function credentialProblems(
  registry: Readonly<Record<string, unknown>>,
  acr: Readonly<Record<string, unknown>>,
): readonly ConfigProblem[] {
  const given = (value: unknown) => typeof value === "string" && value !== "";
  const problems: ConfigProblem[] = [];
  if (given(registry["credential_providers"]) && !given(registry["credential_provider_bin_dir"])) {
    problems.push({
      path: ["registry", "credential_providers"],
      message: "must come with credential_provider_bin_dir",
    });
  }
  if (given(acr["access_key_file"]) && given(acr["ram_role"])) {
    problems.push({ path: ["registry", "acr", "ram_role"], message: "must not come with access_key_file" });
  }
  return problems;
}

/** Space made down to a threshold above the one it is made at would be made again at once. */
function imageGcProblems({ high_threshold, low_threshold }: Readonly<Record<string, unknown>>) {
  if (typeof high_threshold !== "number" || typeof low_threshold !== "number") return [];
  if (low_threshold < high_threshold) return [];
  const message = `low_threshold, ${low_threshold}, must be less than high_threshold, ${high_threshold}`;
  return [{ path: ["images", "gc"], message }];
}

/** Whoever sees a stream's URL can use it, so it leaves the machine only encrypted. */
function streamingProblems({ address, cert, key }: Readonly<Record<string, unknown>>): readonly ConfigProblem[] {
  const given = (value: unknown) => typeof value === "string" && value !== "";
  if (given(cert) !== given(key)) {
    const [set, lacking] = given(cert) ? ["cert", "key"] : ["key", "cert"];
    return [{ path: ["streaming", set], message: `must come with streaming.${lacking}` }];
  }
  const host = typeof address === "string" ? splitHostPort(address)?.host : undefined;
  if (host === undefined || isLoopbackHost(host) || given(cert)) return [];
  return [{ path: ["streaming", "address"], message: "must be a loopback address unless cert and key are set" }];
}

function requireOneOf(
  problems: ConfigProblem[],
  merged: Sourced,
  path: KeyPath,
  names: readonly string[],
  where: string,
): void {
  const part = partAt(merged, path);
  const value = part === undefined ? undefined : plainValue(part);
  // Anything but text, and empty text, is the schema's to report.
  if (typeof value !== "string" || value === "" || names.includes(value)) return;
  const choices = names.map((name) => JSON.stringify(name)).join(", ");
  problems.push({ path, message: `must be one of ${where}: ${choices === "" ? "there is none" : choices}` });
}

function tableAt(merged: Sourced, path: KeyPath): Readonly<Record<string, unknown>> {
  const part = partAt(merged, path);
  const value = part === undefined ? undefined : plainValue(part);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}

/** The array of tables at the path, or undefined when something else stands there: the schema reports that. */
function entriesAt(merged: Sourced, path: KeyPath): ReadonlyArray<Readonly<Record<string, unknown>>> | undefined {
  const part = partAt(merged, path);
  if (part === undefined || !Array.isArray(part.content)) return undefined;
  return part.content.map((_, place) => tableAt(merged, [...path, place]));
}

/** `file:line: key = value: what would be right`. */
function faultOf(merged: Sourced, { path, message }: ConfigProblem): Fault {
  const part = partAt(merged, path);
  const name = pathText(path);
  const origin = originOf(merged, path);
  if (message.startsWith("unknown key")) return { origin, text: message.replace("unknown key", `unknown key ${name}`) };
  if (part === undefined) return { origin, text: `${name} is missing: ${message}` };
  const isLeaf = !(part.content instanceof Map || Array.isArray(part.content));
  return { origin, text: isLeaf ? `${name} = ${valueText(plainValue(part))}: ${message}` : `${name}: ${message}` };
}

/** What a section's owner finds wrong, with the line of the key that its message names first. */
function ownersFault(merged: Sourced, check: () => void): readonly Fault[] {
  try {
    check();
    return [];
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== "InvalidArgument") throw error;
    const name = /^Invalid ([a-z][\w.[\]]*)/.exec(error.message)?.[1] ?? "";
    const steps = name.split(/[.[\]]+/).filter((step) => step !== "");
    const path = steps.map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    return [{ origin: originOf(merged, path), text: error.message }];
  }
}

function syntaxFault(file: string, error: unknown): Fault {
  if (!(error instanceof TomlError)) return { origin: { file, line: 1 }, text: errorText(error) };
  // The message's first line is the reason; the rest shows the text, which the line number finds as well.
  const reason = error.message.split("\n")[0]?.replace("Invalid TOML document: ", "") ?? "";
  return { origin: { file, line: error.line }, text: `not TOML at column ${error.column}: ${reason}` };
}

function refuse(faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  const sorted = faults.toSorted(
    (a, b) => a.origin.file.localeCompare(b.origin.file) || a.origin.line - b.origin.line || (a.text < b.text ? -1 : 1),
  );
  const lines = sorted.map(({ origin, text }) => `${origin.file}:${origin.line}: ${text}`);
  throw new AgentError("InvalidArgument", [...new Set(lines)].join("\n"));
}

/** `network.vpcs[0].cidr`, with quotes around what TOML would quote; control characters never reach a terminal. */
function pathText(path: KeyPath): string {
  const parts = path.map((step, place) => {
    if (typeof step === "number") return `[${step}]`;
    const key = /^[A-Za-z0-9_-]+$/.test(step) ? step : JSON.stringify(step);
    return place === 0 ? key : `.${key}`;
  });
  return parts.join("");
}

function valueText(value: unknown): string {
  const text = (JSON.stringify(value) ?? String(value)) as string;
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
